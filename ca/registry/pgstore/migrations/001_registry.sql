-- The registry of issuance records. What must never happen is refused here, in
-- the database itself, whatever the program in front of it believes.
--
-- Every value that names a person is sealed before it gets here; person is an
-- HMAC. What is plain: ordinal, serial and state (public in the log), hashes of
-- application ids and of public keys, and the period of validity, which tells a
-- birthday but not whose.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- One process writes. Each takeover adds one to the epoch; a statement of an
-- earlier epoch is refused by the triggers below.
CREATE TABLE lease (
	alone  boolean PRIMARY KEY DEFAULT true CHECK (alone),
	epoch  bigint NOT NULL,
	holder text NOT NULL,
	since  timestamptz NOT NULL
);
INSERT INTO lease (epoch, holder, since) VALUES (0, '', now());

CREATE TABLE issuance (
	ordinal     bigint PRIMARY KEY CHECK (ordinal >= 0),
	state       smallint NOT NULL CHECK (state BETWEEN 1 AND 6),
	serial      text NOT NULL CONSTRAINT one_serial UNIQUE CHECK (serial ~ '^[0-9a-f]+$'),
	application bytea NOT NULL CHECK (octet_length(application) = 32),
	spki        bytea NOT NULL CHECK (octet_length(spki) = 32),
	person      bytea CHECK (octet_length(person) = 32),
	twin        boolean NOT NULL,
	period      tstzrange, -- of validity; NULL once nobody is named
	queue       smallint NOT NULL CHECK (queue BETWEEN 0 AND 3),
	expires     timestamptz, -- end of validity while it is awaited
	doomed      boolean NOT NULL,
	revocation  bytea,
	public      bytea NOT NULL,
	private     bytea,
	CHECK ((person IS NULL) = (private IS NULL) AND (person IS NULL) = (period IS NULL)),
	CHECK ((queue = 2) = (expires IS NOT NULL)),
	CHECK ((state = 5) = (revocation IS NOT NULL)),
	CHECK (NOT (state = 6 AND person IS NOT NULL)),
	-- Article 6: no two certificates of one person are in force at one time,
	-- unless an officer answered for it that they are two persons.
	CONSTRAINT one_live EXCLUDE USING gist (person WITH =, period WITH &&) WHERE (person IS NOT NULL AND state <= 4 AND NOT twin)
) WITH (fillfactor = 80);
ALTER TABLE issuance ALTER COLUMN private SET STORAGE EXTERNAL, ALTER COLUMN public SET STORAGE EXTERNAL;

CREATE UNIQUE INDEX one_application ON issuance (application) WHERE state <> 6;
CREATE UNIQUE INDEX one_key ON issuance (spki) WHERE state <> 6;
CREATE INDEX by_application ON issuance (application, ordinal);
CREATE INDEX by_person ON issuance (person) WHERE person IS NOT NULL;
CREATE INDEX queued ON issuance (queue, ordinal) WHERE queue <> 0;
CREATE INDEX expiring ON issuance (expires) WHERE queue = 2;
CREATE INDEX open ON issuance (ordinal) WHERE state <= 3;
CREATE INDEX doomed ON issuance (ordinal) WHERE doomed;
CREATE INDEX revoked ON issuance (ordinal) WHERE state = 5;

CREATE TABLE note (
	name  text COLLATE "C" PRIMARY KEY,
	value bytea NOT NULL
);
ALTER TABLE note ALTER COLUMN value SET STORAGE EXTERNAL;

-- fence lets a statement pass only in the present epoch. The shared lock makes
-- a takeover wait for the transactions that have passed.
CREATE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	present bigint;
BEGIN
	PERFORM pg_advisory_xact_lock_shared(1937074017, 2);
	SELECT epoch INTO present FROM lease;
	IF present::text IS DISTINCT FROM current_setting('sukashi.epoch', true) THEN
		RAISE EXCEPTION 'another process has taken over' USING ERRCODE = 'SU001';
	END IF;
	RETURN NULL;
END $$;

CREATE TRIGGER fenced BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON issuance FOR EACH STATEMENT EXECUTE FUNCTION fence();
CREATE TRIGGER fenced BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON note FOR EACH STATEMENT EXECUTE FUNCTION fence();

-- forward keeps a record from moving back, from becoming another one, and from
-- going away once its intent may be in the log.
CREATE FUNCTION forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		IF OLD.state <> 1 THEN
			RAISE EXCEPTION 'only a prepared record can be removed' USING ERRCODE = 'SU002';
		END IF;
		RETURN OLD;
	END IF;
	IF NEW.ordinal <> OLD.ordinal OR NEW.serial <> OLD.serial OR NEW.application <> OLD.application OR NEW.spki <> OLD.spki
		OR (OLD.person IS NULL AND NEW.person IS NOT NULL)
		OR NOT (NEW.state = OLD.state
			OR OLD.state < 4 AND NEW.state BETWEEN OLD.state AND 4
			OR OLD.state = 4 AND NEW.state = 5
			OR OLD.state < 4 AND NEW.state = 6) THEN
		RAISE EXCEPTION 'a record can''t change so' USING ERRCODE = 'SU002';
	END IF;
	RETURN NEW;
END $$;

CREATE TRIGGER forward BEFORE UPDATE OR DELETE ON issuance FOR EACH ROW EXECUTE FUNCTION forward();
