#include "plan/internal.h"

/*
 * A service has a handful of targets at a time, at most two a node: a walk is enough. Free entries
 * are used again, so that the table does not grow with the commits.
 */
uint16_t target_ref(struct service *s, const struct digest *digest, uint32_t revision)
{
	if (digest_is_none(digest))
		return 0;
	uint32_t unused = 0;
	for (uint32_t i = 0; i < s->targets.len; i++) {
		struct target *t = &s->targets.items[i];
		if (t->refs == 0) {
			unused = i + 1;
		} else if (t->revision == revision && digest_equal(&t->digest, digest)) {
			t->refs++;
			return (uint16_t)(i + 1);
		}
	}
	struct target *t = unused ? &s->targets.items[unused - 1] : vec_push(&s->targets);
	*t = (struct target){ .digest = *digest, .revision = revision, .refs = 1 };
	assert(s->targets.len < UINT16_MAX);
	return (uint16_t)(t - s->targets.items + 1);
}

void target_unref(struct service *s, uint32_t id)
{
	if (id == 0)
		return;
	assert(s->targets.items[id - 1].refs > 0);
	s->targets.items[id - 1].refs--;
}

void target_assign(struct service *s, struct cell *c, uint32_t id)
{
	target_unref(s, c->assigned);
	c->assigned = (uint16_t)id;
	if (id)
		s->targets.items[id - 1].refs++;
}

const struct target *target_at(const struct service *s, uint32_t id)
{
	static const struct target none;
	return id ? &s->targets.items[id - 1] : &none;
}
