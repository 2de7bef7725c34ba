package proof

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sukashi-project/sukashi/internal/say"
)

// rotated is a log with three keys: the first until size 5, the second until 9.
func rotated() (origin string, keys []ed25519.PrivateKey, vkeys []string) {
	origin = "log.example/sukashi"
	for i := range 3 {
		k := keyFrom(fmt.Sprintf("log key %d", i))
		keys = append(keys, k)
		vkeys = append(vkeys, vkeyOf(origin, typeLog, k.Public().(ed25519.PublicKey)))
	}
	return origin, keys, vkeys
}

func signedBy(text, origin string, keys ...ed25519.PrivateKey) []byte {
	s := text + "\n"
	for _, k := range keys {
		s += sigText(origin, typeLog, k.Public().(ed25519.PublicKey), ed25519.Sign(k, []byte(text)))
	}
	return []byte(s)
}

// Each key is good for its sizes and no others; the handover's size for both.
func TestKeysHaveRanges(t *testing.T) {
	origin, keys, vkeys := rotated()
	text := func(size int) string {
		return fmt.Sprintf("%s\n%d\nNk/1kGiNkB73GRx1QAMaU0aV9AMzDgcn31C5vpsNF/0=\n", origin, size)
	}
	file := fmt.Sprintf("log %s\nlog %s\nlog %s\n%s\n  %s\nquorum none\n", vkeys[0], vkeys[1], vkeys[2], UntilLine(vkeys[0], 5), UntilLine(vkeys[1], 9))
	fromFile, err := ParsePolicy([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	fromKeys, err := LogKeys(LogKey{vkeys[0], 5}, LogKey{vkeys[1], 9}, LogKey{VKey: vkeys[2]})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Policy{"file": fromFile, "keys": fromKeys} {
		for size := 1; size < 14; size++ {
			for i, good := range []bool{size <= 5, size >= 5 && size <= 9, size >= 9} {
				_, err := p.VerifyCheckpoint(signedBy(text(size), origin, keys[i]))
				if good && err != nil || !good && (!errors.Is(err, ErrFalse) || say.Code(err) != "checkpoint.retired-key") {
					t.Errorf("%s: key %d at size %d: %v", name, i, size, err)
				}
			}
		}
		// A good signature beside one out of range does not help.
		if _, err := p.VerifyCheckpoint(signedBy(text(6), origin, keys[0], keys[1])); say.Code(err) != "checkpoint.retired-key" {
			t.Errorf("%s: retired key beside the current one: %v", name, err)
		}
		if _, err := p.VerifyCheckpoint(signedBy(text(5), origin, keys[0], keys[1])); err != nil {
			t.Errorf("%s: both keys at the handover: %v", name, err)
		}
		if k := p.Keys(origin); len(k) != 3 || k[0] != (LogKey{vkeys[0], 5}) || k[2] != (LogKey{VKey: vkeys[2]}) || p.Keys("other") != nil {
			t.Errorf("%s: keys %+v", name, k)
		}
		l := p.Logs()
		if l[0].From != 0 || l[0].Until != 5 || l[1].From != 5 || l[1].Until != 9 || l[2].From != 9 || l[2].Until != 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	only, err := LogOnly(vkeys[2])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := only.VerifyCheckpoint(signedBy(text(4), origin, keys[0])); say.Code(err) != "checkpoint.unknown-key" {
		t.Errorf("a policy of the newest key alone: %v", err)
	}
}

func TestKeyChainsRefused(t *testing.T) {
	_, _, v := rotated()
	other := vkeyOf("other.example", typeLog, keyFrom("other").Public().(ed25519.PublicKey))
	log := func(i int) string { return "log " + v[i] + "\n" }
	until := func(i int, size uint64) string { return UntilLine(v[i], size) + "\n" }
	for name, text := range map[string]string{
		"two keys without sizes":      log(0) + log(1),
		"third key without a size":    log(0) + log(1) + log(2) + until(0, 5),
		"sizes that go back":          log(0) + log(1) + log(2) + until(0, 5) + until(1, 4),
		"equal sizes":                 log(0) + log(1) + log(2) + until(0, 5) + until(1, 5),
		"no key in use":               log(0) + until(0, 5),
		"newest key ended":            log(0) + log(1) + until(0, 5) + until(1, 9),
		"size before its key":         until(0, 5) + log(0) + log(1),
		"two sizes for a key":         log(0) + log(1) + until(0, 5) + until(0, 6),
		"size of a key not in use":    log(0) + log(1) + until(2, 5),
		"size 0":                      log(0) + log(1) + until(0, 0),
		"size with a zero before":     log(0) + log(1) + "#until " + shortKey(v[0]) + " 05\n",
		"no size":                     log(0) + log(1) + "#until " + shortKey(v[0]) + "\n",
		"whole key":                   log(0) + log(1) + "#until " + v[0] + " 5\n",
		"comment that looks like one": log(0) + log(1) + "# until " + shortKey(v[0]) + " 5\n",
	} {
		if _, err := ParsePolicy([]byte(text + "quorum none\n")); say.Code(err) != "policy.malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParsePolicy([]byte(log(0) + "log " + other + "\nquorum none\n")); err != nil {
		t.Errorf("two logs: %v", err)
	}
	for name, keys := range map[string][]LogKey{
		"none": {}, "twice": {{v[0], 5}, {VKey: v[0]}}, "two logs": {{v[0], 5}, {VKey: other}}, "no sizes": {{VKey: v[0]}, {VKey: v[1]}},
		"garbage": {{VKey: "x"}}, "ended": {{v[0], 5}},
	} {
		if _, err := LogKeys(keys...); say.Code(err) != "policy.key" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := shortKey("a+00000000+b+c+d"); got != "a+00000000" {
		t.Errorf("short form %q", got)
	}
	if got := shortKey("x"); got != "x" || strings.Contains(got, "+") {
		t.Errorf("short form of garbage %q", got)
	}
}
