/* Digests, names, numbers, UTF-8 and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"

static void digests(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		/* FIPS 180-2 */
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char hex[DIGEST_HEX_LEN + 1];
		struct digest digest = digest_of(rows[i].text, strlen(rows[i].text)), back;
		digest_hex(&digest, hex);
		assert_string_equal(hex, rows[i].want);
		assert_true(digest_parse(hex, &back));
		assert_true(digest_equal(&digest, &back));
		assert_false(digest_is_none(&digest));
		back.bytes[DIGEST_BYTES - 1] ^= 1;
		assert_false(digest_equal(&digest, &back));
	}
	struct digest empty = digest_of(NULL, 0), none = { 0 };
	assert_false(digest_is_none(&empty));
	assert_true(digest_is_none(&none));
}

static void digests_that_are_none(void **state UNUSED)
{
	static const char good[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	static const char odd[] = "gGA/:`@ \x80-";
	struct digest out;
	char hex[DIGEST_HEX_LEN + 2];
	assert_false(digest_parse("", &out));
	assert_false(digest_parse(good + 1, &out));
	snprintf(hex, sizeof(hex), "%s0", good);
	assert_false(digest_parse(hex, &out));
	for (size_t i = 0; i < strlen(odd); i++) {
		memcpy(hex, good, sizeof(good));
		hex[i * 6] = odd[i];
		assert_false(digest_parse(hex, &out));
	}
}

static void names(void **state UNUSED)
{
	static const struct {
		const char *name;
		bool want;
	} rows[] = {
		{ "a", true },	     { "Z9", true },   { "_", true },	      { "0", true },
		{ "a.b-c_d", true }, { "a..b", true }, { "a.", true },	      { "", false },
		{ ".a", false },     { "-a", false },  { "..", false },	      { "a/b", false },
		{ "a b", false },    { "a\n", false }, { "\xc3\xa9", false }, { "a~", false },
		{ "a:b", false },    { "a@", false },  { "a`", false },	      { "a[", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (name_valid(rows[i].name) != rows[i].want)
			fail_msg("'%s'", rows[i].name);
	char longest[NAME_MAX_LEN + 2];
	memset(longest, 'a', sizeof(longest));
	longest[NAME_MAX_LEN] = '\0';
	assert_true(name_valid(longest));
	memcpy(longest + NAME_MAX_LEN, "a", 2);
	assert_false(name_valid(longest));
}

static void numbers(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t want;
	} rows[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "007", true, 7 },
		{ "-42", true, -42 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "92233720368547758070", false, 0 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ "--1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1.0", false, 0 },
		{ "0x10", false, 0 },
		{ "1e3", false, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t out = -77;
		if (parse_int(rows[i].text, &out) != rows[i].ok)
			fail_msg("'%s'", rows[i].text);
		assert_int_equal(out, rows[i].ok ? rows[i].want : -77);
	}
}

static void utf8(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		bool want;
	} rows[] = {
		{ "", true },
		{ "plain\x01\x7f", true },
		{ "\xc2\x80", true }, /* the least and the greatest of each length */
		{ "\xdf\xbf", true },
		{ "\xe0\xa0\x80", true },
		{ "\xef\xbf\xbf", true },
		{ "\xf0\x90\x80\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\xed\x9f\xbf", true },
		{ "\xee\x80\x80", true },
		{ "\x80", false },
		{ "\xc0\x80", false }, /* overlong */
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xed\xa0\x80", false }, /* surrogates */
		{ "\xed\xbf\xbf", false },
		{ "\xf4\x90\x80\x80", false }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
		{ "\xc3", false }, /* cut */
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x98", false },
		{ "\xc3(", false },
		{ "\xe2\x28\xa1", false },
		{ "a\xe2\x82\x28", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (utf8_valid(rows[i].bytes, strlen(rows[i].bytes)) != rows[i].want)
			fail_msg("row %zu", i);
	assert_true(utf8_valid("a\0b", 3));
	assert_true(utf8_valid("\xc3\xa9\xff", 2)); /* len counts, not the NUL */
	assert_false(utf8_valid("\xc3\xa9", 1));
}

static void times(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1969-12-31T23:59:59Z", -1000 },
		{ "2026-11-23T21:45:25Z", 1795470325000 },
		{ "2000-02-29T12:00:00Z", 951825600000 }, /* leap years */
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2024-03-01T00:00:00Z", 1709251200000 },
		{ "2100-02-28T23:59:59Z", 4107542399000 },
		{ "2100-03-01T00:00:00Z", 4107542400000 },
		{ "1900-03-01T00:00:00Z", -2203891200000 },
		{ "2038-01-19T03:14:08Z", 2147483648000 },
		{ "0000-01-01T00:00:00Z", -62167219200000 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[TIME_TEXT_LEN + 1];
		int64_t ms = 0;
		time_text(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
		time_text(rows[i].ms + 999, text); /* cut, never rounded up; before 1970 too */
		assert_string_equal(text, rows[i].text);
		assert_true(time_parse(rows[i].text, &ms));
		assert_int_equal(ms, rows[i].ms);
	}
}

static void times_beyond_four_digit_years(void **state UNUSED)
{
	char text[TIME_TEXT_LEN + 1];
	time_text(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	time_text(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00Z");
}

static void every_day_of_four_centuries(void **state UNUSED)
{
	char before[TIME_TEXT_LEN + 1] = "";
	for (int64_t day = -146097; day <= 146097; day += 1) {
		char text[TIME_TEXT_LEN + 1];
		int64_t ms;
		time_text(day * 86400000, text);
		assert_true(strcmp(before, text) < 0);
		assert_true(time_parse(text, &ms) && ms == day * 86400000);
		memcpy(before, text, sizeof(before));
	}
}

static void times_with_milliseconds(void **state UNUSED)
{
	int64_t ms;
	assert_true(time_parse("1970-01-01T00:00:01.250Z", &ms));
	assert_int_equal(ms, 1250);
	assert_true(time_parse("1969-12-31T23:59:59.999Z", &ms));
	assert_int_equal(ms, -1);
	assert_true(time_parse("2016-12-31T23:59:60Z", &ms)); /* a leap second is the next one */
	assert_int_equal(ms, 1483228800000);
}

static void texts_that_are_no_times(void **state UNUSED)
{
	static const char *const rows[] = {
		"",
		"Z",
		"2026-11-23",
		"2026-11-23T21:45:25",
		"2026-11-23T21:45:25z",
		"2026-11-23 21:45:25Z",
		"2026-11-23T21:45:25+00:00",
		"2026-11-23T21:45:25.5Z",
		"2026-11-23T21:45:25,500Z",
		"2026-11-23T21:45:25.5x0Z",
		"2026-00-23T21:45:25Z",
		"2026-13-23T21:45:25Z",
		"2026-11-00T21:45:25Z",
		"2026-11-31T21:45:25Z",
		"2026-12-32T21:45:25Z",
		"2026-02-29T21:45:25Z",
		"2100-02-29T21:45:25Z",
		"2026-11-23T24:45:25Z",
		"2026-11-23T21:60:25Z",
		"2026-11-23T21:45:61Z",
		"-026-11-23T21:45:25Z",
		"2026-11-23T21:45: 5Z",
		"20261-11-23T21:45:2Z",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 7;
		if (time_parse(rows[i], &ms))
			fail_msg("'%s'", rows[i]);
		assert_int_equal(ms, 7);
	}
}

static void sorting_strings(void **state UNUSED)
{
	const char *list[] = { "b", "", "a", "B", "ab" };
	qsort(list, ARRAY_LEN(list), sizeof(list[0]), str_compare);
	static const char *const want[] = { "", "B", "a", "ab", "b" };
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		assert_string_equal(list[i], want[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(digests_that_are_none),
		cmocka_unit_test(names),
		cmocka_unit_test(numbers),
		cmocka_unit_test(utf8),
		cmocka_unit_test(times),
		cmocka_unit_test(times_beyond_four_digit_years),
		cmocka_unit_test(every_day_of_four_centuries),
		cmocka_unit_test(times_with_milliseconds),
		cmocka_unit_test(texts_that_are_no_times),
		cmocka_unit_test(sorting_strings),
	};
	return cmocka_run_group_tests_name("base text", tests, NULL, NULL);
}
