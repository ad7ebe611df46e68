internal import GRDB

/// The store's tables, one migration after the other; a migration that has shipped is never changed.
///
/// Paths are BLOBs: bytes as the kernel gave them. Times are nanoseconds since 1970 in UTC. Unsigned 64-bit
/// numbers are stored by their bits. An empty path means that it could not be told.
///
/// `processes.space` is the record that stands for the process's address space, and `released` there the time at which
/// the last process left it; NULL while anybody may share it. `accesses.closed` is when the session closed a file of
/// which the access saw no close.
enum Schema {
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 spine") { db in
      try db.execute(
        sql: """
          CREATE TABLE runs (
            id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL, host TEXT NOT NULL, kernel TEXT NOT NULL,
            version TEXT NOT NULL, rules_digest BLOB NOT NULL, pid INTEGER NOT NULL, run_directory TEXT NOT NULL,
            started INTEGER NOT NULL, covered_from INTEGER, covered_to INTEGER, ended INTEGER,
            perf_missing TEXT, connector_missing TEXT);
          CREATE TABLE sessions (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, started INTEGER NOT NULL,
            ended INTEGER, root_pid INTEGER NOT NULL, root_started INTEGER NOT NULL,
            root_provenance INTEGER NOT NULL, boot_id TEXT NOT NULL, host TEXT NOT NULL,
            executable BLOB NOT NULL, executable_identity TEXT, executable_digest BLOB, version TEXT,
            joined_late INTEGER NOT NULL, parent INTEGER REFERENCES sessions(id), relation TEXT,
            uid INTEGER, login_uid INTEGER, user_name TEXT, terminal TEXT, working_directory BLOB, project BLOB);
          CREATE INDEX sessions_started ON sessions(started);
          CREATE TABLE conversations (
            session INTEGER NOT NULL REFERENCES sessions(id), conversation TEXT NOT NULL, since INTEGER NOT NULL,
            PRIMARY KEY (session, since)) WITHOUT ROWID;
          CREATE INDEX conversations_id ON conversations(conversation);
          CREATE TABLE processes (
            id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions(id), pid INTEGER NOT NULL,
            pid_started INTEGER NOT NULL, provenance INTEGER NOT NULL, parent INTEGER, executable BLOB NOT NULL,
            class TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER);
          CREATE INDEX processes_session ON processes(session);
          CREATE TABLE files (
            id INTEGER PRIMARY KEY, path BLOB NOT NULL, name BLOB NOT NULL, file_system INTEGER NOT NULL,
            inode INTEGER NOT NULL, generation INTEGER NOT NULL, subvolume INTEGER NOT NULL,
            UNIQUE (path, name, file_system, inode, generation, subvolume));
          CREATE INDEX files_identity ON files(file_system, inode);
          CREATE TABLE accesses (
            id INTEGER PRIMARY KEY, session INTEGER REFERENCES sessions(id), process INTEGER, file INTEGER NOT NULL
            REFERENCES files(id), t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, operations INTEGER NOT NULL,
            result INTEGER NOT NULL, count INTEGER NOT NULL, attribution INTEGER NOT NULL);
          CREATE INDEX accesses_file ON accesses(file, t0);
          CREATE INDEX accesses_session ON accesses(session, t0);
          CREATE INDEX accesses_time ON accesses(t0);
          CREATE TABLE names (
            id INTEGER PRIMARY KEY, file_system INTEGER NOT NULL, inode INTEGER NOT NULL,
            generation INTEGER NOT NULL, subvolume INTEGER NOT NULL, from_path BLOB, to_path BLOB NOT NULL,
            is_directory INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL);
          CREATE INDEX names_from ON names(from_path);
          CREATE INDEX names_to ON names(to_path);
          CREATE TABLE gaps (
            id INTEGER PRIMARY KEY, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, source TEXT NOT NULL,
            reason TEXT NOT NULL, file_system INTEGER);
          CREATE TABLE incidents (
            id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL);
          CREATE TABLE file_systems (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), file_system INTEGER NOT NULL,
            device INTEGER NOT NULL, type TEXT NOT NULL, mount_point BLOB NOT NULL, mode TEXT,
            reason TEXT NOT NULL, since INTEGER NOT NULL);
          """)
    }
    migrator.registerMigration("2 endings and holds") { db in
      // SQLite cannot drop a NOT NULL: the table is made anew.
      try db.execute(
        sql: """
          CREATE TABLE names_2 (
            id INTEGER PRIMARY KEY, file_system INTEGER NOT NULL, inode INTEGER NOT NULL,
            generation INTEGER NOT NULL, subvolume INTEGER NOT NULL, from_path BLOB, to_path BLOB,
            kind INTEGER NOT NULL, is_sure INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL);
          INSERT INTO names_2 SELECT id, file_system, inode, generation, subvolume, from_path, to_path,
            is_directory, 1, t0, t1 FROM names;
          DROP TABLE names;
          ALTER TABLE names_2 RENAME TO names;
          CREATE INDEX names_from ON names(from_path);
          CREATE INDEX names_to ON names(to_path);
          CREATE INDEX names_identity ON names(file_system, inode);
          CREATE INDEX names_directories ON names(t1) WHERE kind = 1;
          ALTER TABLE processes ADD COLUMN space INTEGER;
          ALTER TABLE processes ADD COLUMN released INTEGER;
          ALTER TABLE accesses ADD COLUMN closed INTEGER;
          """)
    }
    // How far into the journal the run's records reach: where a recorder that continues begins to read.
    migrator.registerMigration("3 journal") { db in
      try db.execute(sql: "ALTER TABLE runs ADD COLUMN journal_offset INTEGER")
    }
    // What vouches for a time apart from the absence of gaps. Of the file systems only their number, and those whose
    // mark or canary is missing: the others are in file_systems.
    migrator.registerMigration("4 seals") { db in
      try db.execute(
        sql: """
          CREATE TABLE seals (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), t0 INTEGER NOT NULL,
            t1 INTEGER NOT NULL, boot0 INTEGER NOT NULL, boot1 INTEGER NOT NULL, rules_digest BLOB NOT NULL,
            canaries_sent INTEGER NOT NULL, canaries_seen INTEGER NOT NULL, losses TEXT NOT NULL,
            file_systems INTEGER NOT NULL);
          CREATE INDEX seals_time ON seals(t0);
          CREATE TABLE sealed_file_systems (
            seal INTEGER NOT NULL REFERENCES seals(id), file_system INTEGER NOT NULL, device INTEGER NOT NULL,
            is_marked INTEGER NOT NULL, has_canary INTEGER NOT NULL, PRIMARY KEY (seal, device)) WITHOUT ROWID;
          """)
    }
    // What was mounted where: a row whenever a namespace's mounts became others, each different table once.
    // A state is MountsSeen.State; the table is NULL unless it is known.
    migrator.registerMigration("5 mounts") { db in
      try db.execute(
        sql: """
          CREATE TABLE mount_tables (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text BLOB NOT NULL);
          CREATE INDEX mount_tables_hash ON mount_tables(hash);
          CREATE TABLE mounts (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), namespace TEXT NOT NULL,
            is_host INTEGER NOT NULL, is_first INTEGER NOT NULL, state INTEGER NOT NULL, t0 INTEGER NOT NULL,
            t1 INTEGER NOT NULL, mount_table INTEGER REFERENCES mount_tables(id));
          CREATE INDEX mounts_run ON mounts(run, namespace);
          """)
    }
    // Sessions with root's rights. No reference to the session: a store that refused records may not know it.
    migrator.registerMigration("6 privilege") { db in
      try db.execute(
        sql: """
          CREATE TABLE privileges (
            run INTEGER NOT NULL REFERENCES runs(id), session INTEGER NOT NULL, since INTEGER NOT NULL,
            reason TEXT NOT NULL, PRIMARY KEY (run, session)) WITHOUT ROWID;
          CREATE INDEX accesses_raw ON accesses(t0) WHERE operations & 65536 <> 0;
          """)
    }
    registerEvidence(&migrator)
    // What `StoreReader.touched` finds accesses by: those that last long, and those that may hold their file.
    migrator.registerMigration("8 holds") { db in
      try db.execute(
        sql: """
          CREATE INDEX accesses_long ON accesses(t1) WHERE t1 - t0 > 60000000000;
          CREATE INDEX accesses_mapped ON accesses(t0, process) WHERE operations & 8192 <> 0;
          CREATE INDEX accesses_left_open ON accesses(t0, session, closed) WHERE operations & 6145 = 1;
          CREATE INDEX accesses_inherited ON accesses(t0, session) WHERE operations & 38912 = 32768;
          """)
    }
    registerKeeping(&migrator)
    registerAnchors(&migrator)
    registerPatterns(&migrator)
    registerDeputies(&migrator)
    registerCommands(&migrator)
    registerSegments(&migrator)
    registerLogins(&migrator)
    registerAgreement(&migrator)
    return migrator
  }
}
