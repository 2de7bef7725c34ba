package roles

import (
	"net/http"
	"time"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/counter"
	"github.com/sukashi-project/sukashi/ca/office"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/ledger/entry"
)

// Counter is a reception terminal that may hand in applications: of its own
// town hall and counter only.
type Counter struct {
	Name         string `yaml:"name"`         // of its TLS certificate
	Municipality string `yaml:"municipality"` // 全国地方公共団体コード
	Counter      string `yaml:"counter"`      // counter identifier in the certificate's CN (DOMAIN 6.2)
}

// OfficeConfig says who may call the CA's API.
type OfficeConfig struct {
	Authority *ca.Authority
	Own       zone.Peers // the CA's network, and no other
	Counters  []Counter
	Officers  map[string]office.Role
	Now       func() time.Time
}

// Office is the CA's API on one server: the CA front for the counters'
// terminals, and the officers' acts.
func Office(c OfficeConfig) (http.Handler, error) {
	terminals, names := map[string]Counter{}, []string{}
	for _, t := range c.Counters {
		terminals[t.Name] = t
		names = append(names, t.Name)
	}
	var operators []string
	for name, role := range c.Officers {
		if role == office.Operator {
			operators = append(operators, name)
		}
	}
	front, err := ca.Front(ca.FrontConfig{Authority: c.Authority, Identify: Peer(c.Own, zone.LGWAN), Counters: names, Operators: operators,
		Speaks: func(name string, app *counter.Application) bool {
			t, ok := terminals[name]
			return ok && t.Municipality == app.Municipality && t.Counter == app.Counter()
		}})
	if err != nil {
		return nil, err
	}
	people, err := office.New(office.Config{Authority: c.Authority, Proposals: c.Authority, Identify: officer(c.Own), Roles: c.Officers, Now: c.Now})
	if err != nil {
		return nil, err
	}
	api := http.NewServeMux()
	api.Handle(ca.PathApplications, front)
	api.Handle(ca.PathCertificates, front)
	api.Handle("/", people)
	return api, nil
}

// officer names a caller and its certificate.
func officer(own zone.Peers) func(*http.Request) (office.Officer, bool) {
	return func(r *http.Request) (office.Officer, bool) {
		id, ok := own.Identify(r)
		if !ok || id.Zone != zone.LGWAN {
			return office.Officer{}, false
		}
		return office.Officer{Name: id.Name, Certificate: entry.Sum(r.TLS.PeerCertificates[0].Raw)}, true
	}
}
