#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_AN_ADDRESS = 8000 };

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>

static void fail_tls(const char *what)
{
    fprintf(stderr, "%s\n", what);
    ERR_print_errors_fp(stderr);
    exit(3);
}

bool wire_has_tls(void) { return true; }

static SSL_CTX *context_of(enum security security)
{
    static SSL_CTX *contexts[TLS_HTTP2 + 1];
    if (contexts[security])
        return contexts[security];
    SSL_CTX *context = contexts[security] = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);    // the servers' certificates are made for the run
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    const unsigned char *protocols = (const unsigned char *)(security == TLS_HTTP2 ? "\x02h2" : "\x08http/1.1");
    if (SSL_CTX_set_alpn_protos(context, protocols, security == TLS_HTTP2 ? 3 : 9))
        fail_tls("alpn");
    return context;
}

static void secure(struct wire *wire, enum security security)
{
    SSL *tls = SSL_new(context_of(security));
    if (!tls || !SSL_set_fd(tls, wire->fd) || SSL_connect(tls) != 1)
        fail_tls("TLS handshake");
    const unsigned char *agreed;
    unsigned length;
    SSL_get0_alpn_selected(tls, &agreed, &length);
    if (security == TLS_HTTP2 && length != 2) {
        fprintf(stderr, "the server does not speak HTTP/2\n");
        exit(3);
    }
    wire->tls = tls;
}

static ssize_t outcome(SSL *tls, int result)
{
    if (result > 0)
        return result;
    int error = SSL_get_error(tls, result);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    ERR_clear_error();
    return -1;
}

static ssize_t tls_read(void *tls, char *buffer, size_t size) { return outcome(tls, SSL_read(tls, buffer, (int)size)); }

static ssize_t tls_write(void *tls, const char *bytes, size_t size)
{
    return outcome(tls, SSL_write(tls, bytes, (int)size));
}
#else
bool wire_has_tls(void) { return false; }

static void secure(struct wire *wire, enum security security)
{
    (void)wire, (void)security;
    fprintf(stderr, "load: built without OpenSSL\n");
    exit(2);
}

static ssize_t tls_read(void *tls, char *buffer, size_t size) { return (void)tls, (void)buffer, (void)size, -1; }
static ssize_t tls_write(void *tls, const char *bytes, size_t size) { return (void)tls, (void)bytes, (void)size, -1; }
#endif

void wire_connect(struct wire *wire, int port, enum security security, int from, int receive_buffer)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}, own = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(from / CONNECTIONS_AN_ADDRESS));
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct linger at_once = {.l_onoff = 1};    // closed without TIME_WAIT: the ports are needed again
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) < 0
        || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *wire = (struct wire){.fd = fd};
    if (security != PLAIN)
        secure(wire, security);
}

ssize_t wire_read(struct wire *wire, char *buffer, size_t size)
{
    return wire->tls ? tls_read(wire->tls, buffer, size) : recv(wire->fd, buffer, size, 0);
}

ssize_t wire_write(struct wire *wire, const char *bytes, size_t size)
{
    return wire->tls ? tls_write(wire->tls, bytes, size) : send(wire->fd, bytes, size, MSG_NOSIGNAL);
}
