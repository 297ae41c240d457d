/*
 * net/holder.c - from a port to the socket's inode in /proc/net, from there to the process that has
 * it open.
 */
#include "net/holder.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENING   0x0A /* the state's number in /proc/net/tcp */
#define LOCAL_FIELD 1
#define STATE_FIELD 3
#define INODE_FIELD 9

/* A line of /proc/net/tcp: number, local address:port, remote address:port, state, five more,
   inode. Numbers are hexadecimal, but for the inode. 0: another port, or not listening. */
static unsigned long inode_of_listener(char *line, unsigned port)
{
    char *fields[INODE_FIELD + 1], *rest = NULL;
    size_t count = 0;
    for (char *field = strtok_r(line, " ", &rest); field && count <= INODE_FIELD;
         field = strtok_r(NULL, " ", &rest))
        fields[count++] = field;
    const char *colon = count > INODE_FIELD ? strrchr(fields[LOCAL_FIELD], ':') : NULL;
    if (!colon || strtoul(colon + 1, NULL, 16) != port ||
        strtoul(fields[STATE_FIELD], NULL, 16) != LISTENING)
        return 0;
    return strtoul(fields[INODE_FIELD], NULL, 10);
}

/* The inode of the socket that listens on the port; 0: none there. */
static unsigned long inode_in(const char *path, unsigned port)
{
    char line[512];
    unsigned long inode = 0;
    FILE *file = fopen(path, "re");
    while (file && !inode && fgets(line, sizeof line, file))
        inode = inode_of_listener(line, port);
    if (file)
        fclose(file);
    return inode;
}

static bool has_open(const char *process, const char *link)
{
    char folder[64], path[512], target[64];
    bool found = false;
    snprintf(folder, sizeof folder, "/proc/%.20s/fd", process);
    DIR *files = opendir(folder);
    struct dirent *file;
    while (files && !found && (file = readdir(files))) {
        snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        found = strcmp(target, link) == 0;
    }
    if (files)
        closedir(files);
    return found;
}

static void describe(const char *process, char holder[NET_HOLDER_BYTES])
{
    char path[64], name[32] = "?";
    snprintf(path, sizeof path, "/proc/%.20s/comm", process);
    FILE *file = fopen(path, "re");
    if (file && fgets(name, sizeof name, file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
    snprintf(holder, NET_HOLDER_BYTES, "%s (process %.20s)", name, process);
}

const char *net_port_holder(unsigned port, char holder[NET_HOLDER_BYTES])
{
    char link[48];
    unsigned long inode = inode_in("/proc/net/tcp", port);
    if (!inode)
        inode = inode_in("/proc/net/tcp6", port);
    snprintf(holder, NET_HOLDER_BYTES, "another process");
    snprintf(link, sizeof link, "socket:[%lu]", inode);
    DIR *processes = inode ? opendir("/proc") : NULL;
    struct dirent *process;
    while (processes && (process = readdir(processes))) {
        if (process->d_name[0] < '1' || process->d_name[0] > '9' ||
            !has_open(process->d_name, link))
            continue;
        describe(process->d_name, holder);
        break;
    }
    if (processes)
        closedir(processes);
    return holder;
}
