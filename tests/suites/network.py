"""Where a suite runs natively: in a network of its own that has nothing but lo, as a fresh rump kernel's is."""

import os

ALONE = 'ip link set lo up; exec "$@"'


def alone(words, hijacked):
    """The command, in such a network if it runs natively. Root needs no user namespace, in which some tests would fail."""
    if hijacked:
        return words
    namespaces = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    return ["unshare", *namespaces, "sh", "-c", ALONE, "sh", *words]
