// SPDX-License-Identifier: GPL-2.0-or-later
/* Socket addresses of either family: see address.h. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "address.h"

int address_resolve(struct address *ret_address, const char *host, uint16_t port)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *info;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &info))
		return -ENOENT;
	*ret_address = (struct address){.length = info->ai_addrlen};
	memcpy(&ret_address->storage, info->ai_addr, info->ai_addrlen);
	freeaddrinfo(info);
	return 0;
}

static int serve_on(struct address *address, int type)
{
	int on = 1, off = 0, fd, r;

	fd = socket(address->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->any.sa_family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	} else {
		(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	}
	if (bind(fd, &address->any, address->length) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int address_serve(int type, uint16_t port)
{
	struct address address = {.length = sizeof(address.in6)};
	int fd;

	address.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	fd = serve_on(&address, type);
	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	address = (struct address){.length = sizeof(address.in)};
	address.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	return serve_on(&address, type);
}

int address_connect(const struct address *to, int type, int limit_ms)
{
	struct pollfd wait = {.events = POLLOUT};
	socklen_t size = sizeof(int);
	int fd, error = 0;

	fd = socket(to->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, &to->any, to->length) < 0) {
		error = errno;
		if (error == EINPROGRESS) {
			wait.fd = fd;
			error = ETIMEDOUT;
			if (poll(&wait, 1, limit_ms) > 0)
				(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		}
	}
	if (error) {
		close(fd);
		return -error;
	}
	return fd;
}

ssize_t address_receive(int fd, void *bytes, size_t size, struct address *ret_from,
			struct address *ret_to)
{
	union {
		struct cmsghdr align;
		char space[256];
	} control;
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct address from = {}, to = {.length = sizeof(to.storage)};
	struct msghdr message = {
		.msg_name = &from.storage,
		.msg_namelen = sizeof(from.storage),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *part;
	ssize_t n;

	n = recvmsg(fd, &message, 0);
	if (n < 0)
		return -errno;
	from.length = message.msg_namelen;
	if (getsockname(fd, &to.any, &to.length) < 0)
		return -errno;
	for (part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
		if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(part), sizeof(info));
			to.in6.sin6_addr = info.ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				to.in6.sin6_scope_id = info.ipi6_ifindex;
		} else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(part), sizeof(info));
			if (to.any.sa_family == AF_INET)
				to.in.sin_addr = info.ipi_addr;
		}
	}
	*ret_from = from;
	*ret_to = to;
	return n;
}

int address_serve_peer(const struct address *to, const struct address *from)
{
	int on = 1, fd, r;

	fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &to->any, to->length) < 0 || connect(fd, &from->any, from->length) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}
