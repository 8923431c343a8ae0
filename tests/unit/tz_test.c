/* tz: the tables of zones, against date(1); names that are none. */
#include "tz/tz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY 86400

static const int64_t now = 1710000000; /* 2024-03-09: what was is changed by no new database */
static struct arena arena;

/* What date(1) says of moments, in one run of it. */
static void ask_date(const char *zone, const int64_t *at, uint32_t count, int32_t *offset)
{
	int in[2], out[2];
	assert_int_equal(pipe(in) | pipe(out), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		setenv("TZ", zone, 1);
		execlp("date", "date", "-f", "-", "+%z", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	FILE *questions = fdopen(in[1], "w"), *answers = fdopen(out[0], "r");
	for (uint32_t i = 0; i < count; i++)
		fprintf(questions, "@%lld\n", (long long)at[i]);
	fclose(questions);
	for (uint32_t i = 0; i < count; i++) {
		char text[16];
		assert_non_null(fgets(text, sizeof(text), answers));
		long number = strtol(text, NULL, 10);
		offset[i] = (int32_t)(number / 100 * 3600 + number % 100 * 60);
	}
	fclose(answers);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int32_t offset_at(const struct zone *zone, int64_t at)
{
	uint32_t i = 0;
	while (i + 1 < zone->count && zone->offsets[i + 1].from_unix_s <= at)
		i++;
	return zone->offsets[i].utc_offset_s;
}

/* Every six hours, and at and just before each change. */
static void as_date_says(void **state UNUSED)
{
	static const struct {
		const char *zone;
		uint32_t rows; /* from 8 days before to 408 days after */
	} rows[] = {
		{ "Europe/Berlin", 4 },
		{ "America/New_York", 4 },
		{ "Australia/Lord_Howe", 4 },
		{ "Asia/Kolkata", 1 },
		{ "Pacific/Apia", 1 },
		{ "Africa/Casablanca", 5 },
		{ "America/St_Johns", 4 },
		{ "Etc/GMT+5", 1 },
		{ "Etc/UTC", 1 },
		{ "America/Indiana/Knox", 4 },
	};
	enum { PROBES = 4 * 416 };
	static int64_t at[PROBES + 16];
	static int32_t want[PROBES + 16];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct zone zone = tz_zone(rows[i].zone, now, &arena);
		if (zone.count != rows[i].rows)
			fail_msg("%s: %u rows", rows[i].zone, zone.count);
		assert_int_equal(zone.offsets[0].from_unix_s, now - 8 * DAY);
		uint32_t count = 0;
		for (; count < PROBES; count++)
			at[count] = now - 8 * DAY + count * (DAY / 4);
		for (uint32_t k = 1; k < zone.count; k++) {
			at[count++] = zone.offsets[k].from_unix_s - 1;
			at[count++] = zone.offsets[k].from_unix_s;
		}
		ask_date(rows[i].zone, at, count, want);
		for (uint32_t k = 0; k < count; k++) {
			if (offset_at(&zone, at[k]) != want[k])
				fail_msg("%s at %lld", rows[i].zone, (long long)at[k]);
		}
	}
}

/* To the second, as zdump(8) has them. */
static void changes_are_exact(void **state UNUSED)
{
	static const struct {
		const char *zone;
		int64_t from;
		int32_t offset;
	} rows[] = {
		{ "Europe/Berlin", 1711846800, 7200 },
		{ "Europe/Berlin", 1729990800, 3600 },
		{ "Europe/Berlin", 1743296400, 7200 },
		{ "America/New_York", 1710054000, -14400 },
		{ "America/New_York", 1730613600, -18000 },
		{ "Australia/Lord_Howe", 1712415600, 37800 },
		{ "Australia/Lord_Howe", 1728142200, 39600 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct zone zone = tz_zone(rows[i].zone, now, &arena);
		bool found = false;
		for (uint32_t k = 0; k < zone.count; k++)
			found |= zone.offsets[k].from_unix_s == rows[i].from &&
				 zone.offsets[k].utc_offset_s == rows[i].offset;
		if (!found)
			fail_msg("row %zu", i);
	}
}

/* The C library takes UTC for all of these. */
static void names_that_are_none(void **state UNUSED)
{
	static const char *const names[] = {
		"Mars/Olympus",
		"Europe",
		"Europe/",
		"",
		"zone.tab",
		"../zoneinfo",
		"zone1970",
		"/etc/passwd",
		"CET-1CEST",
		":Europe/Berlin",
		"right/UTC",
		"europe/berlin",
		"leapseconds",
		"Europe/../Europe/Berlin",
		"/usr/share/zoneinfo/Europe/Berlin",
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct zone zone = tz_zone(names[i], now, &arena);
		if (zone.count)
			fail_msg("'%s' is known", names[i]);
		assert_string_equal(zone.name, names[i]);
	}
}

/* What is not of the database is not read, whatever links say; UTC needs none. */
static void only_the_database_is_read(void **state UNUSED)
{
	char dir[] = "/tmp/muster-tz-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/zones", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	setenv("TZDIR", path, 1);
	static const char berlin[] = TZ_DIR "/Europe/Berlin";
	char link_out[80], link_in[80], text[80];
	snprintf(link_out, sizeof(link_out), "%s/Out", path);
	snprintf(link_in, sizeof(link_in), "%s/In", path);
	snprintf(text, sizeof(text), "%s/Text", path);
	assert_int_equal(symlink(berlin, link_out), 0);
	assert_int_equal(symlink("Text", link_in), 0);
	FILE *f = fopen(text, "w");
	assert_non_null(f);
	fputs("TZi", f);
	fclose(f);
	assert_int_equal(tz_zone("Out", now, &arena).count, 0);
	assert_int_equal(tz_zone("In", now, &arena).count, 0);
	assert_int_equal(tz_zone("Text", now, &arena).count, 0);
	assert_int_equal(tz_zone("Europe/Berlin", now, &arena).count, 0);
	assert_int_equal(tz_zone("UTC", now, &arena).count, 1);
	/* One that is: a copy of a real one, and a link to it. */
	char command[256];
	snprintf(command, sizeof(command), "cp %s %s", berlin, text);
	assert_int_equal(system(command), 0);
	assert_int_equal(tz_zone("Text", now, &arena).count, 4);
	assert_int_equal(tz_zone("In", now, &arena).count, 4);
	unsetenv("TZDIR");
	unlink(link_out);
	unlink(link_in);
	unlink(text);
	rmdir(path);
	rmdir(dir);
}

static void the_environment_is_as_before(void **state UNUSED)
{
	setenv("TZ", "Asia/Kolkata", 1);
	tz_zone("Europe/Berlin", now, &arena);
	assert_string_equal(getenv("TZ"), "Asia/Kolkata");
	time_t at = now;
	struct tm tm;
	localtime_r(&at, &tm);
	assert_int_equal(tm.tm_gmtoff, 19800);
	unsetenv("TZ");
	tz_zone("Europe/Berlin", now, &arena);
	tz_zone("Mars/Olympus", now, &arena);
	assert_null(getenv("TZ"));
}

static void utc_is_always_known(void **state UNUSED)
{
	struct zone zone = tz_zone("UTC", now, &arena);
	assert_int_equal(zone.count, 1);
	assert_int_equal(zone.offsets[0].utc_offset_s, 0);
}

static int open_arena(void **state UNUSED)
{
	arena_init(&arena);
	return 0;
}

static int close_arena(void **state UNUSED)
{
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_date_says),
		cmocka_unit_test(changes_are_exact),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(only_the_database_is_read),
		cmocka_unit_test(the_environment_is_as_before),
		cmocka_unit_test(utc_is_always_known),
	};
	return cmocka_run_group_tests_name("tz", tests, open_arena, close_arena);
}
