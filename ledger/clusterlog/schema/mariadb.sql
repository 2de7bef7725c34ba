-- What a database of Trillian v1.8.0 on MariaDB needs to serve a pre-ordered log
-- well. Load it after Trillian's own storage.sql, into an empty database or one
-- with a log in it, while Trillian's programs are stopped. It may be loaded again.
-- postgresql.sql says why nothing of a log rests on what is dropped here, and
-- what the database is no longer good for. Here the foreign key to the leaves has
-- an index of its own that nothing else reads.

ALTER TABLE LeafData
  DROP FOREIGN KEY IF EXISTS LeafData_ibfk_1;
ALTER TABLE SequencedLeafData
  DROP FOREIGN KEY IF EXISTS SequencedLeafData_ibfk_1,
  DROP FOREIGN KEY IF EXISTS SequencedLeafData_ibfk_2;
ALTER TABLE SequencedLeafData
  DROP INDEX IF EXISTS TreeId,
  DROP INDEX IF EXISTS SequencedLeafMerkleIdx;
