#include "tasklog/tasklog.h"

#include <errno.h>

#define STREAM_ERROR 3 /* 0 stdin, 1 stdout, 2 stderr */

static bool head_valid(const unsigned char *head)
{
	return head[0] <= STREAM_ERROR && !head[1] && !head[2] && !head[3];
}

bool tasklog_frames_add(struct tasklog_frames *f, const void *bytes, size_t len, struct buf *out,
			struct err *err)
{
	const unsigned char *p = bytes, *end = p + len;
	while (p < end) {
		if (f->left) {
			size_t n = (size_t)(end - p) < f->left ? (size_t)(end - p) : f->left;
			buf_add(out, p, n);
			f->left -= (uint32_t)n;
			p += n;
			continue;
		}
		f->head[f->head_len++] = *p++;
		if (f->head_len < FRAME_HEAD_BYTES)
			continue;
		f->head_len = 0;
		if (!head_valid(f->head))
			return err_set(err, EPROTO, "what comes is not in frames");
		f->failed |= f->head[0] == STREAM_ERROR;
		f->left = (uint32_t)f->head[4] << 24 | (uint32_t)f->head[5] << 16 |
			  (uint32_t)f->head[6] << 8 | f->head[7];
	}
	return true;
}
