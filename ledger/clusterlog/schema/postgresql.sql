-- What a database of Trillian v1.8.0 on PostgreSQL needs to serve a
-- pre-ordered log well. Load it after Trillian's own storage.sql, as the owner
-- of its tables with the right to make roles, into an empty database or one with
-- a log in it, while Trillian's programs are stopped. The programs stay as they are.
-- It may be loaded again; storage.sql says how its keys and indexes are made if
-- they are wanted back.
--
-- The database must be for this log's trees alone: trees of type LOG work on
-- it, but look up leaves by hash without an index.

BEGIN;

-- Three foreign keys are checked for each leaf, by a trigger and a statement of
-- their own. Trillian's programs never rely on them but to delete a whole tree,
-- which nobody does to this log. What they held holds without them: the log
-- server writes leaves of a tree that it has just read, and the function below
-- is the only writer of both tables, in one transaction. A row that is missing
-- nevertheless shows: as a gap in what is read, and as another root.
ALTER TABLE LeafData DROP CONSTRAINT IF EXISTS leafdata_treeid_fkey;
ALTER TABLE SequencedLeafData DROP CONSTRAINT IF EXISTS sequencedleafdata_treeid_fkey;
ALTER TABLE SequencedLeafData DROP CONSTRAINT IF EXISTS sequencedleafdata_treeid_leafidentityhash_fkey;

-- A pre-ordered log's leaves are read by their numbers. An index by Merkle hash
-- gets each new leaf on a page of its own; the other served the foreign key.
DROP INDEX IF EXISTS SequencedLeafMerkleIdx;
DROP INDEX IF EXISTS SequencedLeafIdentityIdx;

-- The batch arrives in the temporary table that the log server makes. It is
-- taken as it is; both tables' primary keys say whether a leaf is there already.
-- Only then are the leaves looked up, those that are new added and the others
-- named, as Trillian's own function does for every batch. It answers for leaves
-- that are there already only: the log server takes the others as added.
--
-- No table is locked. Two callers that add the same leaf meet in the primary
-- key, where the later one waits for the earlier; a lock would stop with each
-- vacuum and stop the vacuum.
CREATE OR REPLACE FUNCTION add_sequenced_leaves(
) RETURNS TABLE(leaf_identity_hash bytea, is_duplicate_leaf_data boolean, is_duplicate_sequenced_leaf_data boolean)
LANGUAGE plpgsql AS $$
DECLARE
  looked boolean := false;
BEGIN
  LOOP
    BEGIN
      INSERT INTO LeafData (TreeId, LeafIdentityHash, LeafValue, ExtraData, QueueTimestampNanos)
        SELECT b.TreeId, b.LeafIdentityHash, b.LeafValue, b.ExtraData, b.QueueTimestampNanos
        FROM TempAddSequencedLeaves b
        WHERE NOT (b.IsDuplicateLeafData OR b.IsDuplicateSequencedLeafData);
      INSERT INTO SequencedLeafData (TreeId, SequenceNumber, LeafIdentityHash, MerkleLeafHash, IntegrateTimestampNanos)
        SELECT b.TreeId, b.SequenceNumber, b.LeafIdentityHash, b.MerkleLeafHash, 0
        FROM TempAddSequencedLeaves b
        WHERE NOT (b.IsDuplicateLeafData OR b.IsDuplicateSequencedLeafData);
      EXIT;
    EXCEPTION WHEN unique_violation THEN
      -- A second time: the batch names a leaf twice, or somebody else adds the
      -- same leaves at this moment. The log server says so to its caller.
      IF looked THEN
        RAISE;
      END IF;
    END;
    looked := true;
    UPDATE TempAddSequencedLeaves b SET
      IsDuplicateLeafData = EXISTS (SELECT FROM LeafData l
        WHERE l.TreeId = b.TreeId AND l.LeafIdentityHash = b.LeafIdentityHash),
      IsDuplicateSequencedLeafData = EXISTS (SELECT FROM SequencedLeafData s
        WHERE s.TreeId = b.TreeId AND s.SequenceNumber = b.SequenceNumber);
  END LOOP;
  IF looked THEN
    RETURN QUERY SELECT b.LeafIdentityHash, b.IsDuplicateLeafData, b.IsDuplicateSequencedLeafData
      FROM TempAddSequencedLeaves b
      WHERE b.IsDuplicateLeafData OR b.IsDuplicateSequencedLeafData;
  END IF;
END;
$$;

-- A subtree is hashes: to try and compress it costs and gives nothing.
ALTER TABLE Subtree ALTER COLUMN Nodes SET STORAGE EXTERNAL;

-- What the signer sees, which names this schema first in its search path. It
-- needs the leaves' order and Merkle hashes; Trillian's statement also gives it
-- every leaf's bytes, which it throws away. Here the bytes are empty, and the
-- statement's join of the two tables is one with a single row: all leaves have
-- the same identity. A signer with a role of its own needs no right to read
-- what is in the log.
CREATE SCHEMA IF NOT EXISTS signer;
CREATE OR REPLACE VIEW signer.SequencedLeafData AS
  SELECT s.TreeId, s.SequenceNumber, decode(repeat('00', 32), 'hex') AS LeafIdentityHash, s.MerkleLeafHash, s.IntegrateTimestampNanos
  FROM public.SequencedLeafData s;
CREATE OR REPLACE VIEW signer.LeafData AS
  SELECT t.TreeId, decode(repeat('00', 32), 'hex') AS LeafIdentityHash, ''::bytea AS LeafValue, NULL::bytea AS ExtraData, 0::bigint AS QueueTimestampNanos
  FROM public.Trees t;

-- What each program may do. A role with a password is made a member, or one of
-- these gets LOGIN. The log server adds leaves and can neither change nor delete
-- them; the signer can't read them.
DO $$
DECLARE
  r text;
BEGIN
  FOREACH r IN ARRAY ARRAY['trillian_server', 'trillian_signer'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
      EXECUTE 'CREATE ROLE ' || r || ' NOLOGIN';
    END IF;
  END LOOP;
END;
$$;
GRANT USAGE ON SCHEMA public TO trillian_server, trillian_signer;
GRANT SELECT, INSERT ON Trees, TreeControl, TreeHead, LeafData, SequencedLeafData TO trillian_server;
GRANT SELECT ON Subtree TO trillian_server;
GRANT USAGE ON SCHEMA signer TO trillian_signer;
GRANT SELECT ON signer.SequencedLeafData, signer.LeafData, Trees, TreeControl TO trillian_signer;
GRANT SELECT, INSERT ON TreeHead TO trillian_signer;
GRANT SELECT, INSERT, UPDATE ON Subtree TO trillian_signer;

COMMIT;
