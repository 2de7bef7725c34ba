package ledger

// Waiting is the number of calls in the queue, for tests.
func (w *Writer) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}
