// How bytes come and go: a socket, or TLS over one. Built without OpenSSL, there is no TLS.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum security { PLAIN, TLS_HTTP1, TLS_HTTP2 };    // what is agreed on in the handshake

struct wire {
    int fd;
    void *tls;
};

bool wire_has_tls(void);

// Connected, blocking. `from` numbers connections: each some thousands leave from an address of their own, so that
// they do not run out of ports. A small receive buffer, where one is given, fills soon.
void wire_connect(struct wire *wire, int port, enum security security, int from, int receive_buffer);

// As recv and send: -1 with errno EAGAIN when there is nothing, or no room.
ssize_t wire_read(struct wire *wire, char *buffer, size_t size);
ssize_t wire_write(struct wire *wire, const char *bytes, size_t size);
