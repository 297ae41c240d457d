-- Sagas, their journal, the outbox, and what stands around them.
--
-- The schema repeats the engine's invariants (I-1, I-2, I-7, I-8 of docs/semantics.md) as constraints.
-- Three roles: the owner of the schema (migrate), sagad_run (the service), sagad_read (people and tools).

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sagad_run', 'sagad_read'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
EXCEPTION
    WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
        RAISE NOTICE 'roles sagad_run and sagad_read were not created; create them and grant by hand';
END
$$;

-- ---- sagas ----

CREATE TABLE sagas (
    id               uuid        NOT NULL PRIMARY KEY,
    number           bigint      NOT NULL CHECK (number > 0),
    definition       text        NOT NULL,
    version          integer     NOT NULL CHECK (version > 0),
    status           text        NOT NULL CHECK (status IN ('pending', 'running', 'compensating',
                                                            'completed', 'compensated', 'failed')),
    key              text,
    flow_id          text,
    step             text,
    error_code       text,
    labels           text,
    committed        boolean     NOT NULL,
    paused           boolean     NOT NULL,
    wake_at          timestamptz,
    started_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    attention        text,
    attention_step   text,
    attention_since  timestamptz,
    failing_since    timestamptz,
    failing_step     text,
    failing_undo     boolean     NOT NULL,
    unanswered_since timestamptz,
    unanswered_step  text,
    no_consumer      boolean     NOT NULL,
    overdue_since    timestamptz,
    lock_since       timestamptz,
    done             integer     NOT NULL,
    total            integer     NOT NULL,
    state            bytea       NOT NULL,
    waits_for_child  boolean     NOT NULL,
    parent           uuid,
    root             uuid,
    awaiting         boolean     NOT NULL,
    CONSTRAINT i2_ended_or_not CHECK ((status IN ('completed', 'compensated', 'failed')) = (ended_at IS NOT NULL)),
    CONSTRAINT i2_ended_has_no_wake_up CHECK (ended_at IS NULL OR wake_at IS NULL),
    CONSTRAINT i7_waits_for_something CHECK (ended_at IS NOT NULL OR wake_at IS NOT NULL OR paused
                                             OR attention IS NOT NULL OR lock_since IS NOT NULL OR waits_for_child
                                             OR awaiting),
    CONSTRAINT i2_ended_waits_for_no_lock CHECK (ended_at IS NULL OR lock_since IS NULL),
    CONSTRAINT s24_child_has_a_root CHECK ((parent IS NULL) = (root IS NULL)),
    CONSTRAINT attention_is_whole CHECK ((attention IS NULL) = (attention_since IS NULL))
) PARTITION BY RANGE (id);

-- None of them changes with each transition, so most updates stay within their page.
CREATE INDEX sagas_wake ON sagas (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX sagas_live ON sagas (definition, id) WHERE ended_at IS NULL;
CREATE INDEX sagas_attention ON sagas (attention, id) WHERE attention IS NOT NULL;
CREATE INDEX sagas_key ON sagas (definition, key) WHERE key IS NOT NULL;
CREATE INDEX sagas_parent ON sagas (parent) WHERE parent IS NOT NULL;
CREATE INDEX sagas_flow ON sagas (flow_id) WHERE flow_id IS NOT NULL;

COMMENT ON TABLE sagas IS 'One row a saga: its state, and the columns by which people find it.';
COMMENT ON COLUMN sagas.id IS 'UUIDv7: time-ordered, so partitions by id are partitions by time.';
COMMENT ON COLUMN sagas.number IS 'Of its newest journal entry; every update demands the number it was computed from.';
COMMENT ON COLUMN sagas.definition IS 'Name of the definition.';
COMMENT ON COLUMN sagas.version IS 'Version it started with, and keeps.';
COMMENT ON COLUMN sagas.status IS 'pending, running, compensating; ended: completed, compensated, failed.';
COMMENT ON COLUMN sagas.key IS 'Business key, unique among live sagas of a definition.';
COMMENT ON COLUMN sagas.flow_id IS 'The wider flow that the starter named.';
COMMENT ON COLUMN sagas.step IS 'The step it stands at.';
COMMENT ON COLUMN sagas.error_code IS 'Why it turned back, or why the step that blocks failed.';
COMMENT ON COLUMN sagas.labels IS 'Labels of the definition, a JSON object.';
COMMENT ON COLUMN sagas.committed IS 'The pivot is passed: only forward from here.';
COMMENT ON COLUMN sagas.paused IS 'An operator paused it: nothing new is sent.';
COMMENT ON COLUMN sagas.wake_at IS 'When to look at it again: may be too early, never too late.';
COMMENT ON COLUMN sagas.started_at IS 'When it was accepted.';
COMMENT ON COLUMN sagas.updated_at IS 'Time of its newest journal entry.';
COMMENT ON COLUMN sagas.ended_at IS 'When it ended; null while it lives.';
COMMENT ON COLUMN sagas.attention IS 'The blocking reason for which a person is needed.';
COMMENT ON COLUMN sagas.attention_step IS 'The step that reason is about.';
COMMENT ON COLUMN sagas.attention_since IS 'Since when it blocks.';
COMMENT ON COLUMN sagas.failing_since IS 'Since when a retriable step or an undo has been failing.';
COMMENT ON COLUMN sagas.failing_step IS 'Which one.';
COMMENT ON COLUMN sagas.failing_undo IS 'Whether it is an undo.';
COMMENT ON COLUMN sagas.unanswered_since IS 'Since when its oldest command has had no answer.';
COMMENT ON COLUMN sagas.unanswered_step IS 'Of which step.';
COMMENT ON COLUMN sagas.no_consumer IS 'An answer said that nobody there does this.';
COMMENT ON COLUMN sagas.overdue_since IS 'When its timeout passes, or passed, behind the pivot.';
COMMENT ON COLUMN sagas.lock_since IS 'Since when it has waited for a lock.';
COMMENT ON COLUMN sagas.done IS 'Steps that are closed.';
COMMENT ON COLUMN sagas.total IS 'Steps there are.';
COMMENT ON COLUMN sagas.state IS 'The whole state as the core encodes it; folding the journal gives these bytes.';

COMMENT ON COLUMN sagas.waits_for_child IS 'A saga that it runs lives, or is about to: its end is the next event.';
COMMENT ON COLUMN sagas.parent IS 'The saga that runs it; null: none does.';
COMMENT ON COLUMN sagas.root IS 'The saga at the top of the tree it stands in; null: it is that itself.';
COMMENT ON COLUMN sagas.awaiting IS 'One of its steps waits for an event.';

-- ---- what people look for a saga by ----

CREATE TABLE attributes (
    saga_id uuid NOT NULL,
    name    text NOT NULL,
    value   text NOT NULL,
    PRIMARY KEY (saga_id, name)
);
CREATE INDEX attributes_value ON attributes (name, value, saga_id);

COMMENT ON TABLE attributes IS 'Attributes of sagas as their definitions make them; those that are null are left out.';
COMMENT ON COLUMN attributes.saga_id IS 'The saga.';
COMMENT ON COLUMN attributes.name IS 'Name of the attribute.';
COMMENT ON COLUMN attributes.value IS 'Its value as text; of a number, true and false as JSON has it.';

-- ---- journal ----

CREATE TABLE journal (
    saga_id uuid        NOT NULL,
    number  bigint      NOT NULL CHECK (number > 0),
    at      timestamptz NOT NULL,
    chain   bytea       NOT NULL CHECK (octet_length(chain) = 16),
    entry   text        NOT NULL,
    CONSTRAINT i1_fence PRIMARY KEY (saga_id, number)
) PARTITION BY RANGE (saga_id);

COMMENT ON TABLE journal IS 'One row a transition, never changed. Its key is the fence between daemons.';
COMMENT ON COLUMN journal.saga_id IS 'The saga.';
COMMENT ON COLUMN journal.number IS '1, 2, 3 ... without a gap.';
COMMENT ON COLUMN journal.at IS 'Time of the transition; never goes back within a saga.';
COMMENT ON COLUMN journal.chain IS 'First 16 bytes of SHA-256 over the previous link and this entry.';
COMMENT ON COLUMN journal.entry IS 'The event whole and what it led to, as JSON.';

-- ---- partitions, by month of the id's time ----

CREATE FUNCTION sagad_id_at(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT (left(h, 8) || '-' || right(h, 4) || '-0000-0000-000000000000')::uuid
    FROM (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS h) AS hex
    $$;
COMMENT ON FUNCTION sagad_id_at IS 'The smallest UUIDv7 of a time.';

CREATE FUNCTION sagad_make_partitions(at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
DECLARE
    month timestamptz;
    parent text;
    part text;
BEGIN
    FOR ahead IN -1 .. 2 LOOP
        month := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
        month := (month AT TIME ZONE 'UTC' + make_interval(months => ahead)) AT TIME ZONE 'UTC';
        FOREACH parent IN ARRAY ARRAY['sagas', 'journal'] LOOP
            part := parent || '_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L) %s', part, parent,
                           sagad_id_at(month),
                           sagad_id_at((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'),
                           CASE parent WHEN 'sagas' THEN 'WITH (fillfactor = 60)' ELSE '' END);
        END LOOP;
    END LOOP;
EXCEPTION
    WHEN duplicate_table THEN NULL; -- another daemon was faster
END
$$;
COMMENT ON FUNCTION sagad_make_partitions IS 'Partitions of sagas and journal from last month to the month after next.';

-- ---- keys of starts ----

CREATE TABLE starts (
    definition text        NOT NULL,
    kind       smallint    NOT NULL CHECK (kind IN (0, 1, 2)),
    key        text        NOT NULL,
    saga_id    uuid        NOT NULL,
    input_hash bytea       CHECK (octet_length(input_hash) = 32),
    at         timestamptz NOT NULL,
    CONSTRAINT i8_one_saga_a_key PRIMARY KEY (definition, kind, key)
);

COMMENT ON TABLE starts IS 'What a key stands for already: a caller''s idempotency key, the business key of a live saga, or an event that started one.';
COMMENT ON COLUMN starts.definition IS 'Name of the definition; all its versions share keys.';
COMMENT ON COLUMN starts.kind IS '0: idempotency key, 1: business key of a live saga, 2: key of an event that started a saga.';
COMMENT ON COLUMN starts.key IS 'The key.';
COMMENT ON COLUMN starts.saga_id IS 'The saga it stands for.';
COMMENT ON COLUMN starts.input_hash IS 'SHA-256 of the start''s input, to tell a repeat from another start.';
COMMENT ON COLUMN starts.at IS 'When it was taken.';

-- ---- locks ----

-- Holder and queue of a key change only under the lock of its row, and rows are locked in the order of their keys.
CREATE TABLE locks (
    key     text        COLLATE "C" NOT NULL PRIMARY KEY,
    saga_id uuid,
    since   timestamptz,
    CONSTRAINT lock_is_whole CHECK ((saga_id IS NULL) = (since IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX locks_saga ON locks (saga_id) WHERE saga_id IS NOT NULL;

COMMENT ON TABLE locks IS 'Keys that sagas lock; a row goes when nobody holds or awaits it.';
COMMENT ON COLUMN locks.key IS 'As the definition makes it from the input; shared by all definitions.';
COMMENT ON COLUMN locks.saga_id IS 'Who holds it, always the root of a tree; null only within a transaction.';
COMMENT ON COLUMN locks.since IS 'Since when.';

CREATE TABLE lock_queue (
    key     text        COLLATE "C" NOT NULL,
    saga_id uuid        NOT NULL,
    holder  uuid        NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (key, saga_id)
);
CREATE INDEX lock_queue_saga ON lock_queue (saga_id);

COMMENT ON TABLE lock_queue IS 'Who waits for a lock that another saga holds. The lowest saga id is next.';
COMMENT ON COLUMN lock_queue.key IS 'The key.';
COMMENT ON COLUMN lock_queue.saga_id IS 'Who waits.';
COMMENT ON COLUMN lock_queue.holder IS 'Who will hold it: the root of the tree that the saga stands in.';
COMMENT ON COLUMN lock_queue.at IS 'Since when.';

-- ---- outbox ----

CREATE TABLE outbox (
    saga_id         uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    owner           uuid,
    created_at      timestamptz NOT NULL,
    event_at        timestamptz NOT NULL,
    saga            text        NOT NULL,
    step            text        NOT NULL,
    phase           text        NOT NULL CHECK (phase IN ('do', 'undo', 'prepare', 'commit', 'abort', 'run', 'cancel',
                                                             'close', 'turn_back', 'ended', 'emit')),
    type            text        NOT NULL,
    recipient       text,
    idempotency_key text        NOT NULL,
    undoes          text,
    user_id         text,
    flow_id         text,
    traceparent     text,
    causation_id    uuid        NOT NULL,
    generation      integer     NOT NULL,
    retry_count     integer     NOT NULL,
    in_doubt        boolean     NOT NULL,
    timeout_ms      bigint      NOT NULL,
    data            text        NOT NULL,
    PRIMARY KEY (saga_id, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

CREATE INDEX outbox_free ON outbox (created_at) WHERE owner IS NULL;
CREATE INDEX outbox_owner ON outbox (owner) WHERE owner IS NOT NULL;

COMMENT ON TABLE outbox IS 'Commands on their way, whose rows go with the event that settles their operation; and events that nobody answers (phase emit).';
COMMENT ON COLUMN outbox.saga_id IS 'The saga it belongs to; correlationId.';
COMMENT ON COLUMN outbox.event_id IS 'UUIDv5 of idempotency key and generation.';
COMMENT ON COLUMN outbox.owner IS 'The daemon that may send it; null: free, certainly not sent in this try.';
COMMENT ON COLUMN outbox.created_at IS 'When it was committed.';
COMMENT ON COLUMN outbox.event_at IS 'When its command was made; a copy carries it again.';
COMMENT ON COLUMN outbox.saga IS 'Name of the definition.';
COMMENT ON COLUMN outbox.step IS 'Name of the step; empty: the saga itself tells it.';
COMMENT ON COLUMN outbox.phase IS 'do or undo; of a two-phase step prepare, commit or abort; to another saga run, cancel, close, turn_back or ended; emit: nobody answers.';
COMMENT ON COLUMN outbox.type IS 'Event type.';
COMMENT ON COLUMN outbox.recipient IS 'Participant named by the step, or the id of a saga; null: by the type.';
COMMENT ON COLUMN outbox.idempotency_key IS 'The operation''s key, for ever the same.';
COMMENT ON COLUMN outbox.undoes IS 'Of an undo: the idempotency key of its do.';
COMMENT ON COLUMN outbox.user_id IS 'On whose behalf the saga was started.';
COMMENT ON COLUMN outbox.flow_id IS 'The wider flow.';
COMMENT ON COLUMN outbox.traceparent IS 'W3C trace context of the start.';
COMMENT ON COLUMN outbox.causation_id IS 'Event id of what led to it.';
COMMENT ON COLUMN outbox.generation IS 'Which command of its operation this is.';
COMMENT ON COLUMN outbox.retry_count IS 'How often it was handed over before.';
COMMENT ON COLUMN outbox.in_doubt IS 'Of an undo: nobody knows whether its do took effect.';
COMMENT ON COLUMN outbox.timeout_ms IS 'How long an answer may take from the hand-over.';
COMMENT ON COLUMN outbox.data IS 'Frozen JSON, the same at every sending.';

-- ---- events that sagas wait for ----

-- A saga's side and an event's side are each committed first and then look for the other: whichever
-- commits last finds both. What was not looked for before a crash is marked, and found by the poll.

CREATE TABLE awaits (
    saga_id    uuid        NOT NULL,
    step       text        NOT NULL,
    event_type text        NOT NULL,
    value      text        NOT NULL,
    at         timestamptz NOT NULL,
    looked     boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (saga_id, step)
);
CREATE INDEX awaits_value ON awaits (event_type, value);
CREATE INDEX awaits_unlooked ON awaits (at) WHERE NOT looked;

COMMENT ON TABLE awaits IS 'Which events a live saga wants; a row goes when its step has its event, or can have none any more.';
COMMENT ON COLUMN awaits.saga_id IS 'The saga.';
COMMENT ON COLUMN awaits.step IS 'Its step.';
COMMENT ON COLUMN awaits.event_type IS 'Type of the event.';
COMMENT ON COLUMN awaits.value IS 'The saga''s side of the match, as JSON; a long one as # and its SHA-256.';
COMMENT ON COLUMN awaits.at IS 'When it was told.';
COMMENT ON COLUMN awaits.looked IS 'Events that came before it were looked for.';

CREATE TABLE signals (
    source     text        NOT NULL,
    event_id   uuid        NOT NULL,
    event_type text        NOT NULL,
    value      text        NOT NULL,
    body       text        NOT NULL,
    at         timestamptz NOT NULL,
    looked     boolean     NOT NULL DEFAULT false,
    taken      boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (source, event_id, value)
);
CREATE INDEX signals_value ON signals (event_type, value) WHERE NOT taken;
CREATE INDEX signals_unlooked ON signals (at) WHERE NOT looked;
CREATE INDEX signals_at ON signals (at);

COMMENT ON TABLE signals IS 'Events that some await could want, kept for 24 hours.';
COMMENT ON COLUMN signals.source IS 'Source of the event.';
COMMENT ON COLUMN signals.event_id IS 'Its id, unique with the source.';
COMMENT ON COLUMN signals.event_type IS 'Its type.';
COMMENT ON COLUMN signals.value IS 'The event''s side of a match, as in awaits; one row for each way to ask.';
COMMENT ON COLUMN signals.body IS 'The event whole, JSON.';
COMMENT ON COLUMN signals.at IS 'When it came.';
COMMENT ON COLUMN signals.looked IS 'Sagas that wait for it were looked for, and told.';
COMMENT ON COLUMN signals.taken IS 'A saga has used it: one that starts later does not get it.';

-- ---- answers of actions, dead letters, audit ----

CREATE TABLE requests (
    key         text        NOT NULL PRIMARY KEY,
    fingerprint bytea       NOT NULL,
    saga_id     uuid        NOT NULL,
    status      integer     NOT NULL,
    answer      text        NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX requests_at ON requests (at);

COMMENT ON TABLE requests IS 'The answer that an Idempotency-Key of an action stands for.';
COMMENT ON COLUMN requests.key IS 'The caller''s key.';
COMMENT ON COLUMN requests.fingerprint IS 'SHA-256 of what was asked.';
COMMENT ON COLUMN requests.saga_id IS 'The saga acted on.';
COMMENT ON COLUMN requests.status IS 'HTTP status of the answer.';
COMMENT ON COLUMN requests.answer IS 'Body of the answer, JSON.';
COMMENT ON COLUMN requests.at IS 'When it was given.';

CREATE TABLE dead_letters (
    id         uuid        NOT NULL PRIMARY KEY,
    at         timestamptz NOT NULL,
    direction  text        NOT NULL CHECK (direction IN ('in', 'out')),
    reason     text        NOT NULL,
    event_type text,
    saga_id    uuid,
    detail     text,
    body       bytea
);

COMMENT ON TABLE dead_letters IS 'What could not be used, and why.';
COMMENT ON COLUMN dead_letters.id IS 'UUIDv7.';
COMMENT ON COLUMN dead_letters.at IS 'When it was put away.';
COMMENT ON COLUMN dead_letters.direction IS 'in: it came to us; out: it could not leave.';
COMMENT ON COLUMN dead_letters.reason IS 'contradiction, unreadable, unmatched, event_failed, trigger_refused, undeliverable.';
COMMENT ON COLUMN dead_letters.event_type IS 'Type of the event, if it could be read.';
COMMENT ON COLUMN dead_letters.saga_id IS 'Its saga, if it names one.';
COMMENT ON COLUMN dead_letters.detail IS 'One sentence for a person.';
COMMENT ON COLUMN dead_letters.body IS 'The bytes as they came.';

CREATE TABLE audit (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text,
    action  text        NOT NULL,
    saga_id uuid,
    reason  text,
    detail  text
);
CREATE INDEX audit_saga ON audit (saga_id) WHERE saga_id IS NOT NULL;

COMMENT ON TABLE audit IS 'Who did what, and why. Append only.';
COMMENT ON COLUMN audit.id IS 'In order of commit, about.';
COMMENT ON COLUMN audit.at IS 'When.';
COMMENT ON COLUMN audit.actor IS 'Who.';
COMMENT ON COLUMN audit.action IS 'What: cancel, retry ...';
COMMENT ON COLUMN audit.saga_id IS 'To which saga.';
COMMENT ON COLUMN audit.reason IS 'Why, in their words.';
COMMENT ON COLUMN audit.detail IS 'The step, the changed data.';

-- ---- definitions, daemons ----

CREATE TABLE definitions (
    name       text        NOT NULL,
    version    integer     NOT NULL CHECK (version > 0),
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    source     text        NOT NULL,
    active     boolean     NOT NULL,
    deprecated boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    children   text,
    PRIMARY KEY (name, version)
);
CREATE UNIQUE INDEX definitions_one_active ON definitions (name) WHERE active;

COMMENT ON TABLE definitions IS 'Saga files as they were put, immutable by name and version.';
COMMENT ON COLUMN definitions.name IS 'Name of the saga.';
COMMENT ON COLUMN definitions.version IS 'Rises with each change.';
COMMENT ON COLUMN definitions.hash IS 'SHA-256 of the source.';
COMMENT ON COLUMN definitions.source IS 'The YAML, byte for byte.';
COMMENT ON COLUMN definitions.active IS 'New sagas start on this version.';
COMMENT ON COLUMN definitions.deprecated IS 'Not to be started any more.';
COMMENT ON COLUMN definitions.created_at IS 'When it was put.';
COMMENT ON COLUMN definitions.children IS 'Versions of the sagas that it runs, fixed when it was put, a JSON object; null: it runs none.';

CREATE TABLE daemons (
    id           uuid        NOT NULL PRIMARY KEY,
    host         text        NOT NULL,
    listen       text        NOT NULL,
    started_at   timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL
);

COMMENT ON TABLE daemons IS 'Who runs on this database. A daemon whose heartbeat ended has its rows adopted.';
COMMENT ON COLUMN daemons.id IS 'New at each start.';
COMMENT ON COLUMN daemons.host IS 'Where it runs.';
COMMENT ON COLUMN daemons.listen IS 'Its address.';
COMMENT ON COLUMN daemons.started_at IS 'Its first heartbeat.';
COMMENT ON COLUMN daemons.heartbeat_at IS 'Its newest heartbeat.';

-- ---- the engine's own check ----

CREATE FUNCTION sagad_all(done bigint, wanted bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF done <> wanted THEN
        RAISE EXCEPTION 'the world is not as the batch claims: % of % rows', done, wanted USING ERRCODE = 'SG001';
    END IF;
END
$$;
COMMENT ON FUNCTION sagad_all IS 'Refuses a transaction of which a statement did not meet every row it was for.';

CREATE FUNCTION sagad_activate(of_name text, new_version integer) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE definitions SET active = false WHERE name = of_name AND active AND version <> new_version;
    UPDATE definitions SET active = true WHERE name = of_name AND version = new_version;
END
$$;
COMMENT ON FUNCTION sagad_activate IS 'Makes one version the one that new sagas start on; never two at once.';

-- ---- rights ----

DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO sagad_read;
    GRANT SELECT, INSERT, UPDATE, DELETE ON sagas, attributes, starts, locks, lock_queue, outbox, awaits, signals, requests, dead_letters, definitions, daemons TO sagad_run;
    GRANT SELECT, INSERT ON journal, audit TO sagad_run;
    GRANT SELECT ON schema_migrations TO sagad_run;
EXCEPTION
    WHEN insufficient_privilege OR undefined_object THEN
        RAISE NOTICE 'rights were not granted to sagad_run and sagad_read; grant them by hand';
END
$$;

SELECT sagad_make_partitions(now());
