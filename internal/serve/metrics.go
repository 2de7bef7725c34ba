package serve

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are a role's counters. Labels are the service's name and the status
// class: nothing that a request carries becomes a label.
type metrics struct {
	reg      *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{reg: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sukashi_requests_total", Help: "Requests answered."}, []string{"service", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sukashi_request_seconds", Help: "Time to answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8)}, []string{"service"}),
	}
	m.reg.MustRegister(m.requests, m.seconds, collectors.NewGoCollector())
	return m
}

// newMetrics has what every role has.
func (r *runner) newMetrics() *metrics {
	m := newMetrics()
	m.gauge("sukashi_tls_seconds_left", "Seconds until the TLS certificate of this role that ends first is over; NaN: it has none.", func() float64 {
		d, _, err := r.left(time.Now())
		if err != nil {
			return math.NaN()
		}
		return d.Seconds()
	})
	return m
}

func (m *metrics) gauge(name, help string, f func() float64) {
	m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// impaired is what a role lacks while its callers are still served better than by
// no process: /healthz says it with 200, so that a balancer keeps sending them.
type impaired string

// Error is a sentence for the operator. It names nobody.
func (i impaired) Error() string { return string(i) }

// mount adds /healthz and /metrics. healthy says whether the role can do its
// work; nil: it can as long as it answers.
func (m *metrics) mount(mux *http.ServeMux, healthy func(context.Context) error) {
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		var err error
		if healthy != nil {
			err = healthy(r.Context())
		}
		var lacks impaired
		switch {
		case err == nil:
			_, _ = w.Write([]byte("ok\n"))
		case errors.As(err, &lacks):
			_, _ = w.Write([]byte("impaired: " + lacks + "\n"))
		default:
			http.Error(w, "unhealthy", http.StatusServiceUnavailable) // why is in the operator's log
		}
	})
}

// count counts and times the requests of a service.
func (m *metrics) count(service string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := prometheus.NewTimer(m.seconds.WithLabelValues(service))
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(s, r)
		t.ObserveDuration()
		m.requests.WithLabelValues(service, strconv.Itoa(s.status/100)+"xx").Inc()
	})
}

// statusWriter remembers the answer's status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
