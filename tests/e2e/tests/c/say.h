/* What calls answered, line by line; children of fork(2) print to the same place. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline void say(const char *what, long value)
{
	printf("%s: %ld %s\n", what, value, value == -1 ? strerror(errno) : "");
	fflush(stdout);
}
