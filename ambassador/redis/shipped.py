"""The commands of Redis 7.0.15 as its COMMAND tells them, for servers that do not. Pure.

``flags:first last step:names``; flags are those that routing looks at. A line that begins with a
blank goes on with names.
"""

from typing import Final

__all__ = ["POLICIES", "SHIPPED"]

SHIPPED: Final = """\
:0 0 0:acl acl|whoami acl|cat acl|help acl|genpass asking auth client client|trackinginfo
 client|help client|id client|caching client|tracking client|getredir client|getname
 client|reply client|setname client|info cluster cluster|getkeysinslot cluster|keyslot
 cluster|links cluster|nodes cluster|myid cluster|help cluster|shards cluster|countkeysinslot
 cluster|slots cluster|info command command|getkeysandflags command|count command|help
 command|docs command|getkeys command|list command|info config config|help discard echo exec
 function function|kill function|help function|dump function|list function|stats hello info
 lastsave latency latency|help memory memory|doctor memory|malloc-stats memory|help memory|purge
 memory|stats module module|help multi object object|help ping pubsub pubsub|help quit readonly
 readwrite reset role script script|flush script|debug script|help script|exists script|load
 script|kill select slowlog slowlog|help time unwatch wait xgroup xgroup|help xinfo xinfo|help
:1 -1 1:watch
admin:0 0 0:acl|save acl|getuser acl|list acl|dryrun acl|deluser acl|load acl|users acl|setuser
 acl|log bgrewriteaof bgsave client|unblock client|list client|kill client|pause client|unpause
 client|no-evict cluster|set-config-epoch cluster|reset cluster|replicate cluster|slaves
 cluster|failover cluster|addslots cluster|saveconfig cluster|delslotsrange
 cluster|count-failure-reports cluster|replicas cluster|flushslots cluster|forget
 cluster|delslots cluster|addslotsrange cluster|setslot cluster|meet cluster|bumpepoch
 config|set config|resetstat config|get config|rewrite debug failover latency|history
 latency|doctor latency|histogram latency|graph latency|latest latency|reset module|load
 module|loadex module|list module|unload monitor pfselftest psync replconf replicaof save
 shutdown slaveof slowlog|get slowlog|reset slowlog|len sync
movablekeys:0 0 0:eval evalsha fcall
pubsub:0 0 0:psubscribe publish pubsub|numsub pubsub|shardnumsub pubsub|shardchannels
 pubsub|channels pubsub|numpat punsubscribe subscribe unsubscribe
pubsub:1 -1 1:ssubscribe sunsubscribe
pubsub:1 1 1:spublish
readonly:0 0 0:dbsize keys lolwut randomkey scan
readonly:1 -1 1:exists mget pfcount sdiff sinter sunion touch
readonly:1 1 1:bitcount bitfield_ro bitpos dump expiretime geodist geohash geopos georadius_ro
 georadiusbymember_ro geosearch get getbit getrange hexists hget hgetall hkeys hlen hmget
 hrandfield hscan hstrlen hvals lindex llen lpos lrange pexpiretime pttl scard sismember
 smembers smismember srandmember sscan strlen substr ttl type xlen xpending xrange xrevrange
 zcard zcount zlexcount zmscore zrandmember zrange zrangebylex zrangebyscore zrank zrevrange
 zrevrangebylex zrevrangebyscore zrevrank zscan zscore
readonly:1 2 1:lcs
readonly:2 2 1:memory|usage object|encoding object|idletime object|freq object|refcount
 xinfo|groups xinfo|stream xinfo|consumers
readonly blocking movablekeys:0 0 0:xread
readonly movablekeys:0 0 0:eval_ro evalsha_ro fcall_ro sintercard zdiff zinter zintercard zunion
readonly movablekeys:1 1 1:sort_ro
write:0 0 0:flushall flushdb function|flush function|load function|restore function|delete
 swapdb
write:1 -1 1:del pfmerge sdiffstore sinterstore sunionstore unlink
write:1 -1 2:mset msetnx
write:1 1 1:append bitfield decr decrby expire expireat geoadd getdel getex getset hdel hincrby
 hincrbyfloat hmset hset hsetnx incr incrby incrbyfloat linsert lpop lpush lpushx lrem lset
 ltrim move persist pexpire pexpireat pfadd psetex restore restore-asking rpop rpush rpushx sadd
 set setbit setex setnx setrange spop srem xack xadd xautoclaim xclaim xdel xsetid xtrim zadd
 zincrby zpopmax zpopmin zrem zremrangebylex zremrangebyrank zremrangebyscore
write:1 2 1:copy geosearchstore lmove rename renamenx rpoplpush smove zrangestore
write:2 -1 1:bitop
write:2 2 1:xgroup|destroy xgroup|createconsumer xgroup|create xgroup|delconsumer xgroup|setid
write admin:2 2 1:pfdebug
write blocking:1 -2 1:blpop brpop bzpopmax bzpopmin
write blocking:1 2 1:blmove brpoplpush
write blocking movablekeys:0 0 0:blmpop bzmpop xreadgroup
write movablekeys:0 0 0:lmpop zmpop
write movablekeys:1 1 1:georadius georadiusbymember sort zdiffstore zinterstore zunionstore
write movablekeys:3 3 1:migrate
"""

POLICIES: Final = """\
all_shards:all_succeeded:flushall flushdb function|flush function|load function|delete\
 function|restore memory|purge
all_shards:agg_sum:dbsize
all_shards:agg_logical_and:script|exists
all_shards:one_succeeded:script|kill function|kill
all_shards::keys randomkey
all_nodes:all_succeeded:script|load script|flush config|set slowlog|reset latency|reset
all_nodes:agg_sum:slowlog|len
all_nodes::slowlog|get
"""
"""``request:response:names`` for a cluster of servers that do not tell tips."""
