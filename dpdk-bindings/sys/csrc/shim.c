#define _GNU_SOURCE /* fopencookie */
#include <assert.h>
#include <stdio.h>

#include "shim.h"

/* The widths that the safe crate reads the mbuf's fields with. */
#define FIELD_IS(field, type) \
	static_assert(sizeof(((struct rte_mbuf *)0)->field) == sizeof(type), "rte_mbuf." #field " has another width")
FIELD_IS(buf_addr, void *);
FIELD_IS(data_off, uint16_t);
FIELD_IS(refcnt, uint16_t);
FIELD_IS(nb_segs, uint16_t);
FIELD_IS(port, uint16_t);
FIELD_IS(ol_flags, uint64_t);
FIELD_IS(pkt_len, uint32_t);
FIELD_IS(data_len, uint16_t);
FIELD_IS(buf_len, uint16_t);
FIELD_IS(hash.rss, uint32_t);
FIELD_IS(next, struct rte_mbuf *);
FIELD_IS(pool, struct rte_mempool *);

int dpdk_errno(void)
{
	return rte_errno;
}

uint64_t dpdk_rdtsc(void)
{
	return rte_rdtsc();
}

bool dpdk_thread_is_registered(void)
{
	return rte_lcore_id() != LCORE_ID_ANY;
}

uint16_t dpdk_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t room)
{
	return rte_eth_rx_burst(port, queue, mbufs, room);
}

uint16_t dpdk_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, mbufs, count);
}

struct rte_mbuf *dpdk_pktmbuf_alloc(struct rte_mempool *pool)
{
	return rte_pktmbuf_alloc(pool);
}

int dpdk_pktmbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int count)
{
	return rte_pktmbuf_alloc_bulk(pool, mbufs, count);
}

void dpdk_pktmbuf_free(struct rte_mbuf *mbuf)
{
	rte_pktmbuf_free(mbuf);
}

int dpdk_pktmbuf_linearize(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_linearize(mbuf);
}

uint32_t dpdk_mempool_size(const struct rte_mempool *pool)
{
	return pool->size;
}

bool dpdk_mempool_quiescent(const struct rte_mempool *pool)
{
	unsigned int self = rte_lcore_id();
	/* Not rte_mempool_avail_count(): it adds the caches, whose lengths rise before an object is written and fall
	 * after it has gone on to the common store, so that its sum can be too high. */
	unsigned int home = rte_mempool_get_ops(pool->ops_index)->get_count(pool);

	/* The store first, then the caches: a thread that emptied its cache into the store has let go of both only when
	 * the cache's length is 0. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	for (unsigned int lcore = 0; pool->cache_size != 0 && lcore < RTE_MAX_LCORE; lcore++) {
		unsigned int cached = *(const volatile uint32_t *)&pool->local_cache[lcore].len;

		if (lcore == self)
			home += cached;
		else if (cached != 0)
			return false;
	}
	return home == pool->size;
}

static void flush_one(struct rte_mempool *pool, void *unused)
{
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());

	(void)unused;
	if (cache != NULL)
		rte_mempool_cache_flush(cache, pool);
}

void dpdk_mempool_flush_caches(void)
{
	rte_mempool_walk(flush_one, NULL);
}

int dpdk_link_get_nowait(uint16_t port, struct dpdk_link *link)
{
	struct rte_eth_link now = {0};
	int err = rte_eth_link_get_nowait(port, &now);

	link->mbps = now.link_speed;
	link->up = now.link_status == RTE_ETH_LINK_UP;
	link->full_duplex = now.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	return err;
}

static dpdk_log_writer log_writer;

static ssize_t log_write(void *cookie, const char *text, size_t length)
{
	(void)cookie;
	log_writer(text, length);
	return (ssize_t)length;
}

int dpdk_log_open(dpdk_log_writer write)
{
	cookie_io_functions_t io = {.write = log_write};
	FILE *stream = fopencookie(NULL, "w", io);

	if (stream == NULL)
		return -1;
	log_writer = write;
	/* By lines, so that one is written by the thread that logs it, which is what the message's level hangs on. */
	setvbuf(stream, NULL, _IOLBF, 0);
	return rte_openlog_stream(stream);
}
