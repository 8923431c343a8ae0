/* Numbers drawn for tests: the same for the same seed, everywhere. */
#ifndef MUSTER_TESTS_DRAW_H
#define MUSTER_TESTS_DRAW_H

#include <stdint.h>

/* splitmix64; 0 to below - 1 */
static inline uint32_t draw_below(uint64_t *random, uint32_t below)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 33) % below;
}

#endif
