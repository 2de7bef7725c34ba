package sequence

// MoveHead lets somebody else move the head of a running log.
func MoveHead(l *Log) error { return l.head.Swap(l.head.Get(), []byte("moved")) }

// BendEdge damages the log's own tree, which must then differ from the store's.
func BendEdge(l *Log) { l.edge.peaks[1][0] ^= 1 }
