package serve

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sukashi-project/sukashi/ca"
	"github.com/sukashi-project/sukashi/ca/revocation"
)

// overdue says what relying parties lack: a revocation list in force, or an OCSP
// responder whose certificate is. Counters and officers don't need either: a key
// that leaks meanwhile must still be revoked. Without a delta relying parties have
// the complete list: that is an alarm alone.
func overdue(lists []ca.ListState, responders []ca.ResponderState, now time.Time) error {
	for _, s := range lists {
		switch {
		case s.Delta, s.Last:
		case s.Number == 0 && s.Partition == revocation.Full: // which every CA has from its start
			return impaired("there is no complete revocation list yet")
		case s.Number > 0 && now.After(s.NextUpdate):
			return impaired("a revocation list is overdue")
		}
	}
	for _, r := range responders {
		if now.After(r.NotAfter) {
			return impaired("an OCSP responder's certificate has ended")
		}
	}
	return nil
}

// lists adds how long the newest revocation lists are still in force: for each
// kind of list (full, ca, partition) the one with the least time left. A kind
// that has no list yet, though it needs one, has 0 left; when the CA can't
// tell, there is no figure.
func (m *metrics) lists(states func() ([]ca.ListState, error), now func() time.Time) {
	m.reg.MustRegister(listMetric{states, now, prometheus.NewDesc("sukashi_ca_list_seconds_left",
		"Seconds until nextUpdate of the revocation list that ends first, by kind of list; not positive: relying parties have no list in force. A delta that nobody needs has none.", []string{"kind"}, nil)})
}

type listMetric struct {
	states func() ([]ca.ListState, error)
	now    func() time.Time
	desc   *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (l listMetric) Describe(c chan<- *prometheus.Desc) { c <- l.desc }

// Collect implements prometheus.Collector.
func (l listMetric) Collect(c chan<- prometheus.Metric) {
	states, err := l.states()
	if err != nil {
		return
	}
	left := map[string]float64{}
	for _, s := range states {
		d := 0.0
		if s.Number > 0 || s.Delta {
			d = s.NextUpdate.Sub(l.now()).Seconds()
		}
		kind := ca.ListKind(s.Partition)
		if s.Delta {
			kind = "delta"
		}
		if was, ok := left[kind]; s.Last || ok && was <= d {
			continue
		}
		left[kind] = d
	}
	for kind, d := range left {
		c <- prometheus.MustNewConstMetric(l.desc, prometheus.GaugeValue, d, kind)
	}
}
