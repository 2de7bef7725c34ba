package serve

import (
	"errors"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/ca/office"
	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

// CA is the role ca: CAFrontServer and CAServer. Its keys, its records and the
// log's key are named by the ceremony's file, so that what the key ceremonies
// made and what the server uses are one thing.
type CA struct {
	Keys     string                 `yaml:"keys"`     // the file of sukashi ca init (docs/CPS.md), with its section authority; never demo keys
	State    string                 `yaml:"state"`    // directory of snapshots of the revocation state
	Profile  string                 `yaml:"profile"`  // of residents' certificates; "": the shipped one
	Ledger   Client                 `yaml:"ledger"`   // as ca-server of zone lgwan
	Counters []roles.Counter        `yaml:"counters"` // reception terminals
	Officers map[string]office.Role `yaml:"officers"` // names in client certificates: counter, operator, auditor
	Link     *LinkEnd               `yaml:"link"`
	// ListsEvery is how often revocation lists are made, as 24h (also at the
	// start when they are that old); they are valid for 48 hours.
	ListsEvery string `yaml:"listsEvery"`
}

const (
	defaultLists = 24 * time.Hour
	maxLists     = 36 * time.Hour // lists are valid for 48 hours; a night is left to repair
)

func (c *CA) lists() (time.Duration, error) {
	if c.ListsEvery == "" {
		return defaultLists, nil
	}
	d, err := time.ParseDuration(c.ListsEvery)
	if err != nil || d < time.Minute || d > maxLists {
		return 0, fmt.Errorf("listsEvery must be from 1m to %s", maxLists)
	}
	return d, nil
}

func (c *Config) validateCA() error {
	return errors.Join(address("public", c.Public), address("metrics", c.Metrics), c.onlyZones(zone.LGWAN))
}

func (c *CA) validate() error {
	if c.Keys == "" || c.State == "" || len(c.Officers) == 0 {
		return errors.New("ca needs keys, state and officers")
	}
	seen := map[string]bool{}
	for _, t := range c.Counters {
		if t.Name == "" || seen[t.Name] || c.Officers[t.Name] != "" || !municipality.ValidCode(t.Municipality) || t.Counter == "" {
			return fmt.Errorf("counter %q needs a name of its own, a municipality code and a counter identifier", t.Name)
		}
		seen[t.Name] = true
	}
	for name, role := range c.Officers {
		if role != office.Counter && role != office.Operator && role != office.Auditor || !transfer.IsOperator(name) {
			return fmt.Errorf("officer %q needs an operator id as name and a role: counter, operator or auditor", name)
		}
	}
	_, err := c.lists()
	return errors.Join(err, c.Ledger.validate("ca's ledger"), c.Link.validate())
}
