package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sukashi-project/sukashi/ca/card"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/profile"
	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
)

// seed does what a council and counters do before the scripts' CA commands: the
// rules are approved once, and so many residents get certificates.
func seed(config, residents string) int {
	n, err := strconv.Atoi(residents)
	if err == nil {
		err = seedCA(context.Background(), &caCmd{app: &app{langFlag: "en"}, config: config}, n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func seedCA(ctx context.Context, c *caCmd, n int) error {
	r, err := c.open(ctx, true)
	if err != nil {
		return err
	}
	defer r.close()
	if seq, err := r.log.NextSeq(ctx, entry.ByCouncil); err != nil {
		return err
	} else if seq == 0 {
		if err := approveShipped(ctx, r.log); err != nil {
			return err
		}
	}
	a, err := c.authority(ctx, r)
	if err != nil {
		return err
	}
	defer a.Close()
	before, err := a.Registry.Size()
	if err != nil {
		return err
	}
	for i := range n {
		app, err := seedApplication(int(before) + i)
		if err != nil {
			return err
		}
		cert, err := a.Authority.Issue(ctx, app, "counter")
		if err != nil {
			return err
		}
		fmt.Println(cert.Serial)
	}
	return nil
}

func approveShipped(ctx context.Context, log ledger.Log) error {
	w, err := ledger.NewWriter(ctx, log, entry.ByCouncil, time.Now)
	if err != nil {
		return err
	}
	defer w.Close()
	_, member, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	body, err := policy.Approve(policy.ShippedProposal(), member)
	if err != nil {
		return err
	}
	_, err = w.Append(ctx, &body)
	return err
}

func seedApplication(i int) (*counter.Application, error) {
	c, err := card.Generate(card.Config{Algorithm: card.P256, PIN: "SAMPLE01", Iterations: 1})
	if err != nil {
		return nil, err
	}
	if err := c.Verify("SAMPLE01"); err != nil {
		return nil, err
	}
	req, err := c.Request()
	if err != nil {
		return nil, err
	}
	name := "透見　" + string('あ'+rune(i))
	return &counter.Application{ID: fmt.Sprintf("%s%05d202011A01", time.Now().In(profile.JST).Format("20060102150405"), i), Municipality: "202011",
		Certified: attr.Certified{Name: name, NameMap: strings.Repeat("0", len([]rune(name))), BirthDate: "319620617", Sex: attr.Male, Address: "長野県長野市大字鶴賀", AddressMap: "0000000000"},
		Request:   req, Check: counter.Check{Authenticity: counter.DrivingLicence, Existence: true, Officer: "op-7"}}, nil
}
