// pthread_cancel and an exception-like unwind out of a blocked read run destructors.
#include <pthread.h>
#include <signal.h>
#include <cstdio>
#include <unistd.h>

struct Guard {
    const char *name;
    ~Guard() { std::printf("unwound %s\n", name); std::fflush(stdout); }
};
static int fds[2];
static void *blocked(void *name) {
    Guard guard{static_cast<const char *>(name)};
    char c;
    return reinterpret_cast<void *>(read(fds[0], &c, 1));
}
static void leave(int) { pthread_exit(nullptr); }

int main() {
    if (pipe(fds)) return 1;
    pthread_t thread;
    pthread_create(&thread, nullptr, blocked, const_cast<char *>("cancelled"));
    usleep(50000);
    pthread_cancel(thread);
    void *result;
    pthread_join(thread, &result);
    std::printf("%d\n", result == PTHREAD_CANCELED);
    struct sigaction action {};
    action.sa_handler = leave;
    sigaction(SIGUSR1, &action, nullptr);
    pthread_create(&thread, nullptr, blocked, const_cast<char *>("by a handler"));
    usleep(50000);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, &result);
    std::puts("end");
}
