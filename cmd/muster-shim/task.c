/* The record as a task: where each container's keys are, and what is needed more than once. */
#include "shim.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static struct container *add_container(struct shim *shim, const char *name)
{
	struct container *c = &shim->containers[shim->count++];
	c->name = name;
	c->essential = true;
	c->out_fd = c->err_fd = c->log.fd = c->log.marks_fd = c->log.dir_fd = -1;
	c->log.task = shim->id;
	return c;
}

/* Split the record at its "container=" entries. */
static bool read_keys(struct shim *shim, struct record_reader all)
{
	struct record_reader *keys = &shim->task_keys;
	*keys = all;
	for (;;) {
		const char *start = all.at, *entry = record_next(&all);
		keys->end = start;
		if (!entry)
			return shim->count > 0;
		const char *value = record_value(entry, "container");
		struct container *c = shim->count ? &shim->containers[shim->count - 1] : NULL;
		if (value) {
			if (shim->count == CONTAINERS_MAX)
				return false;
			keys = &add_container(shim, value)->keys;
			keys->at = all.at;
		} else if (!c) {
			if ((value = record_value(entry, "boot_id")))
				shim->boot_id = value;
		} else if ((value = record_value(entry, "essential"))) {
			c->essential = record_int(value) != 0;
		} else if ((value = record_value(entry, "stop_timeout_ms"))) {
			c->stop_timeout_ms = record_int(value);
		}
	}
}

bool task_load(struct shim *shim, int fd, const char **why)
{
	struct stat st;
	*why = "the record cannot be read";
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > RECORD_MAX_BYTES)
		return false;
	/* Nobody writes to the file again: it is mapped for as long as we live. */
	void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	struct record_reader all;
	*why = "the record is damaged or of a newer version";
	if (record_open(&all, bytes, (size_t)st.st_size, "task") != RECORD_OK)
		return false;
	*why = "the record has no container, or too many";
	return read_keys(shim, all);
}

struct container *task_container(struct shim *shim, const char *name, size_t len)
{
	for (int i = 0; i < shim->count; i++)
		if (strlen(shim->containers[i].name) == len &&
		    memcmp(shim->containers[i].name, name, len) == 0)
			return &shim->containers[i];
	return NULL;
}
