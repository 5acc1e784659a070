// Package redis is the cache tier on a Redis server, which processes share.
//
// It is not bounded by this code: the server evicts (maxmemory-policy allkeys-lru) and expires. The main type is [Tier].
//
// An entry is one string: the names of its tags, the generation that each tag had when it was written, and the value. The generations of a team's tags lie in
// one hash. An entry is valid while every one of its tags still has the generation that is written in the entry; Get compares them on the server, in the
// round trip that reads the entry, and Put gives a tag that has none a generation that never was before. So dropping a tag is removing its generation,
// however many entries carry it: every entry written before is invalid from that instant on, and none ever becomes valid again. That holds under eviction
// too: whatever the server evicts, an entry, the generations or both, only makes entries invalid. (A set of keys for each tag, the usual way, is not exact:
// when such a set is evicted, its entries live on and can't be dropped any more.) Invalid entries hold memory until they expire or are evicted.
//
// All keys of a team have the team as their slot, so in a cluster a team lies on one server, and its entries are read, written and dropped atomically.
package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/redis"
)

// DefaultMaxValue bounds a value. An answer is a few kilobytes; what is larger than this would hold up everybody's connection for milliseconds.
const DefaultMaxValue = 1 << 20

// mostNames bounds the names of an entry's tags, whose length stands in five digits.
const mostNames = 64 << 10

// lengthDigits is how many digits say the length of the names, at the beginning of an entry.
const lengthDigits = 5

var errAnswer = errors.New("the server's answer is not that of the script")

// generationSize is the length of a generation: 80 bits of chance. The scripts know it too.
const generationSize = 16

//go:embed get.lua
var getText string

//go:embed put.lua
var putText string

//go:embed drop.lua
var dropText string

// Tier is the cache tier on a Redis server.
type Tier struct {
	client *redis.Client
	max    int
	counts cache.Counts

	get, put, drop *redis.Script
}

// New makes a tier on a client. MaxValue bounds the bytes of a value; 0 is DefaultMaxValue.
func New(client *redis.Client, maxValue int) *Tier {
	if maxValue <= 0 {
		maxValue = DefaultMaxValue
	}
	return &Tier{client: client, max: maxValue, get: redis.NewReadScript(getText), put: redis.NewScript(putText), drop: redis.NewScript(dropText)}
}

// Get returns what is stored under the key, or cache.ErrMiss.
func (t *Tier) Get(ctx context.Context, k cache.Key) ([]byte, error) {
	found, err := t.fetch(ctx, k)
	if err != nil {
		return nil, err
	}
	return []byte(found.value), nil
}

// Fetch is Get with the entry's tags and what is left of its time.
func (t *Tier) Fetch(ctx context.Context, k cache.Key) (cache.Entry, error) {
	found, err := t.fetch(ctx, k)
	if err != nil {
		return cache.Entry{}, err
	}
	e := cache.Entry{Value: []byte(found.value), Left: found.left}
	for name := range strings.SplitSeq(found.names, "\n") {
		if tag, ok := tagOf(k.Team(), name); ok {
			e.Tags = append(e.Tags, tag)
		}
	}
	return e, nil
}

// found is an entry as the server gave it.
type found struct {
	names, value string
	left         time.Duration
}

// fetch reads an entry whose tags all have the generations that are written in it.
func (t *Tier) fetch(ctx context.Context, k cache.Key) (found, error) {
	parts, err := t.client.Run(ctx, t.get, []string{t.entry(k), t.generations(k.Team())}, nil).ToArray()
	if rueidis.IsRedisNil(err) {
		t.counts.Of(k.Team()).Misses.Add(1)
		return found{}, cache.ErrMiss
	}
	var f found
	if err == nil {
		f, err = read(parts)
	}
	if err != nil {
		return found{}, fmt.Errorf("read from the shared cache: %w", err)
	}
	t.counts.Of(k.Team()).Hits.Add(1)
	return f, nil
}

// read takes an answer of the script apart: the entry, which it has checked, and the milliseconds that are left.
func read(parts []rueidis.RedisMessage) (f found, err error) {
	if len(parts) != 2 {
		return found{}, errAnswer
	}
	entry, err := parts[0].ToString()
	if err != nil {
		return found{}, err
	}
	left, err := parts[1].AsInt64()
	if err != nil {
		return found{}, err
	}
	names := 0
	if len(entry) >= lengthDigits {
		names, err = strconv.Atoi(entry[:lengthDigits])
	}
	if err != nil || names <= 0 || lengthDigits+names > len(entry) {
		return found{}, errAnswer
	}
	f.left = time.Duration(left) * time.Millisecond
	f.names = entry[lengthDigits : lengthDigits+names]
	value := lengthDigits + names + generationSize*(strings.Count(f.names, "\n")+1)
	if value > len(entry) {
		return found{}, errAnswer
	}
	f.value = entry[value:]
	return f, nil
}

// Put stores the value.
func (t *Tier) Put(ctx context.Context, k cache.Key, v []byte, ttl time.Duration, tags ...cache.Tag) error {
	_, err := t.Replace(ctx, k, v, ttl, tags...)
	return err
}

// Replace is Put, and says whether something may have been stored under the key before.
func (t *Tier) Replace(ctx context.Context, k cache.Key, v []byte, ttl time.Duration, tags ...cache.Tag) (replaced bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := cache.CheckPut(k, ttl, tags); err != nil {
		return false, err
	}
	if len(v) > t.max {
		if _, err := t.Drop(ctx, cache.KeyTag(k)); err != nil {
			return false, err
		}
		return true, fmt.Errorf("%w: %d bytes, at most %d", cache.ErrTooLarge, len(v), t.max)
	}
	names, args := 0, make([]string, 0, 4+len(tags))
	args = append(args, string(v), strconv.FormatInt(ttl.Milliseconds(), 10), rand.Text()[:generationSize], field(cache.AllTag(k.Team())))
	for _, tag := range tags {
		if _, ofKey := tag.Key(); !ofKey { // Dropping a key removes the entry itself.
			args = append(args, field(tag))
			names += len(args[len(args)-1]) + 1
		}
	}
	if names > mostNames {
		return false, fmt.Errorf("cache: the tags of an entry have %d bytes, at most %d", names, mostNames)
	}
	before, err := t.client.Run(ctx, t.put, []string{t.entry(k), t.generations(k.Team())}, args).AsInt64()
	if err != nil {
		return false, fmt.Errorf("write to the shared cache: %w", err)
	}
	t.counts.Of(k.Team()).Stores.Add(1)
	return before > 0, nil
}

// Drop removes every entry that carries at least one of the tags. The number counts entries dropped by their key alone: how many carried a tag nobody knows.
func (t *Tier) Drop(ctx context.Context, tags ...cache.Tag) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := 0
	for _, of := range byTeam(tags) {
		dropped, err := t.dropOf(ctx, of)
		n += dropped
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// dropOf drops tags of one team, in one round trip.
func (t *Tier) dropOf(ctx context.Context, tags []cache.Tag) (int, error) {
	team := tags[0].Team()
	keys, args := []string{t.generations(team)}, make([]string, 0, 1+len(tags))
	args = append(args, "0")
	for _, tag := range tags {
		if k, ofKey := tag.Key(); ofKey {
			keys = append(keys, t.entry(k))
			continue
		}
		if tag == cache.AllTag(team) {
			args[0] = "1"
		}
		args = append(args, field(tag))
	}
	n, err := t.client.Run(ctx, t.drop, keys, args).AsInt64()
	if err != nil {
		return 0, fmt.Errorf("drop from the shared cache: %w", err)
	}
	t.counts.Of(team).Drops.Add(uint64(n)) //nolint:gosec // A count.
	return int(n), nil
}

// byTeam parts tags by team, in lists that one script can take.
func byTeam(tags []cache.Tag) [][]cache.Tag {
	// Lua unpacks a list onto its stack, which has room for some thousands.
	const most = 500
	var parts [][]cache.Tag
	at := map[string]int{}
	for _, tag := range tags {
		n, ok := at[tag.Team()]
		if !ok || len(parts[n]) == most {
			n = len(parts)
			at[tag.Team()] = n
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], tag)
	}
	return parts
}

// The digit counts changes of the form of entries: a version of promptd never reads those of another form.
func (t *Tier) entry(k cache.Key) string { return t.client.Key(k.Team(), "answer1", k.String()) }

func (t *Tier) generations(team string) string { return t.client.Key(team, "answers1") }

// field names a tag in the hash of generations. Names stand line by line in an entry, so none holds a line's end.
func field(tag cache.Tag) string {
	name := tag.String()
	if strings.ContainsAny(name, "%\n") {
		name = strings.NewReplacer("%", "%25", "\n", "%0A").Replace(name)
	}
	return name
}

// tagOf is the inverse of field.
func tagOf(team, name string) (cache.Tag, bool) {
	if strings.Contains(name, "%") {
		name = strings.NewReplacer("%25", "%", "%0A", "\n").Replace(name)
	}
	return cache.TagOf(team, name)
}

// Stats gives what this process did, of a team or of all together. How many entries the server holds for a team, and what it evicts, is not known.
func (t *Tier) Stats(ctx context.Context, team string) (cache.Stats, error) {
	if err := ctx.Err(); err != nil {
		return cache.Stats{}, err
	}
	return t.counts.Stats(team), nil
}

var (
	_ cache.Shared      = (*Tier)(nil)
	_ cache.StatsReader = (*Tier)(nil)
)
