package demo

import (
	"io"
	"net"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/world"
)

// DefaultResidents is the size of the story without a flag: large enough that
// every difficulty of the register occurs, small enough for a minute.
const DefaultResidents = 200

// MaxResidents bounds one story.
const MaxResidents = 1_000_000

// Options choose how the story is told.
type Options struct {
	Dir        string    // empty: a temporary directory
	Residents  int       // 0: DefaultResidents
	Seed       uint64    // of the invented residents
	NoticeMode string    // "reference" or "echo"
	CardKey    string    // "rsa2048" or "p256"
	Serve      bool      // keep serving until the context ends
	Addr       string    // of the public pages when serving; loopback only
	Lang       say.Lang  // of the story
	Out        io.Writer // where the story goes
	Bars       io.Writer // where progress bars go; nil: none

	tap world.Tap // sees what every server takes; tests only
}

func (o *Options) validate() error {
	if o.Residents == 0 {
		o.Residents = DefaultResidents
	}
	if o.Residents < MinResidents || o.Residents > MaxResidents {
		return say.New("demo.residents", "--residents は 20 から 1000000 までです。", "--residents must be from 20 to 1000000.").
			Hint("20 人より少ないと、物語に出る出来事がそろいません。", "With fewer than 20 the story's events don't all occur.")
	}
	if o.NoticeMode != "reference" && o.NoticeMode != "echo" {
		return say.New("demo.notice", "--notice は reference か echo です。", "--notice must be reference or echo.")
	}
	if o.CardKey != "rsa2048" && o.CardKey != "p256" {
		return say.New("demo.cardkey", "--card-key は rsa2048 か p256 です。", "--card-key must be rsa2048 or p256.")
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return say.New("demo.addr", "--addr は 127.0.0.1:8080 の形で書いてください。", "--addr must look like 127.0.0.1:8080.").Because(err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return say.New("demo.addr.loopback", "デモはこの機械の中だけで動きます(127.0.0.1)。", "The demo runs on this machine only (127.0.0.1).").
			Hint("--addr 127.0.0.1:8080 のようにしてください。", "Use something like --addr 127.0.0.1:8080.")
	}
	return nil
}

// MinResidents is the smallest story in which every event still occurs.
const MinResidents = 20
