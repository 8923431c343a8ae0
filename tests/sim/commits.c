/* What people push. */
#include "sim.h"

#include <string.h>

/* Another good version of some services. */
static void change(struct sim *sim, struct tree *tree, bool bad)
{
	uint32_t only = draw(sim, sim->repo.services);
	for (uint32_t s = 0; s < sim->repo.services; s++) {
		struct tree_service *of = &tree->of[s];
		if (!of->present || (s != only && draw(sim, 2)))
			continue;
		of->version = ++sim->repo.versions;
		of->profile = bad && s == only
				      ? (enum profile)(PROFILE_FIRST_BAD +
						       draw(sim, PROFILE_COUNT - PROFILE_FIRST_BAD))
				      : (enum profile)draw(sim, PROFILE_FIRST_BAD);
	}
}

static void toggle_service(struct sim *sim, struct tree *tree)
{
	uint32_t s = draw(sim, sim->repo.services), present = 0;
	for (uint32_t i = 0; i < sim->repo.services; i++)
		present += tree->of[i].present;
	if (tree->of[s].present && present == 1)
		return; /* a commit without any service is held */
	tree->of[s].present = !tree->of[s].present;
}

/* So many commits before that one, along the branch. */
static int32_t back(const struct sim *sim, int32_t index, uint32_t steps)
{
	while (steps-- > 0 && sim->repo.commits.items[index]->parent >= 0)
		index = sim->repo.commits.items[index]->parent;
	return index;
}

bool fault_commit(struct sim *sim, enum fault fault)
{
	int32_t parent = sim->repo.head;
	if (fault == F_COMMIT_FORCED)
		parent = back(sim, parent, 1 + draw(sim, 6));
	struct tree tree = sim->repo.commits.items[parent]->tree;
	if (fault != F_COMMIT_INVALID && draw(sim, 5))
		tree.invalid = false;
	switch ((int)fault) {
	case F_COMMIT_GOOD: change(sim, &tree, false); break;
	case F_COMMIT_BAD: change(sim, &tree, true); break;
	case F_COMMIT_INVALID: tree.invalid = true; break;
	case F_COMMIT_REVERT:
		tree = sim->repo.commits.items[back(sim, parent, 1 + draw(sim, 4))]->tree;
		break;
	case F_COMMIT_FORCED:
		if (draw(sim, 2))
			change(sim, &tree, false);
		break;
	case F_COMMIT_DRAIN: tree.drained ^= UINT64_C(1) << draw(sim, sim->machine_count); break;
	case F_COMMIT_SERVICES: toggle_service(sim, &tree); break;
	default: return false;
	}
	repo_commit(sim, &tree, parent);
	if (sim->controller.alive)
		timer_at(sim, CONTROLLER, EV_CONTROLLER_SOURCE,
			 sim->now_ms + draw_ms(sim, 5, 1500));
	return true;
}

bool holds_allow(struct sim *sim)
{
	struct controller *ctl = &sim->controller;
	char ids[16][sizeof(ctl->c->holds.items[0].id)];
	size_t count = 0;
	for (; ctl->alive && count < ctl->c->holds.len && count < ARRAY_LEN(ids); count++)
		memcpy(ids[count], ctl->c->holds.items[count].id, sizeof(ids[0]));
	for (size_t i = 0; i < count; i++)
		control_allow(ctl->c, ids[i]);
	if (count)
		controller_step_soon(sim);
	return count > 0;
}
