/**
 * Logs in SQLite files for tests: temporary directories, crashes as copies of the files, damage by editing rows, failures by
 * a wrapped port. A crash leaves the old handle behind: nobody uses it again, and it never writes unless it is called.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { decodeBatch } from "../../src/internal/batchCodec.ts"
import { type DatabasePort, type FilePorts, nodePorts } from "../../src/internal/sqlitePorts.ts"
import type { LogStorage } from "../../src/LogStorage.ts"
import { openInline, openWorker } from "../../src/SqliteLogStorage.ts"
import type { LogUnderTest } from "../../testing/LogStorageSuite.ts"

/**
 * In memory where the system has such a directory: a sync costs nothing there, and what a test may observe after a crash is
 * decided by which writes it copies, not by the disk.
 */
export const temporaryDirectory = (): string =>
  fs.mkdtempSync(path.join(fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir(), "weft-raft-log-"))

export const removeDirectory = (directory: string): void => fs.rmSync(directory, { recursive: true, force: true })

/** The files of a log as they are in the page cache now: what is left when the process is killed here. */
export const copyLog = (from: string, to: string): void => {
  for (const suffix of ["", "-wal", "-mark"]) {
    fs.rmSync(to + suffix, { force: true })
    if (fs.existsSync(from + suffix)) fs.copyFileSync(from + suffix, to + suffix)
  }
}

/** Ports whose every SQL statement that may write calls `before` first. */
export const hookedPorts = (before: (sql: string) => void): FilePorts => ({
  openDatabase: (file): DatabasePort => {
    const database = nodePorts.openDatabase(file)
    return {
      exec: (sql) => {
        before(sql)
        database.exec(sql)
      },
      prepare: (sql) => {
        const statement = database.prepare(sql)
        return {
          get: statement.get,
          all: statement.all,
          run: (...parameters) => {
            before(sql)
            statement.run(...parameters)
          }
        }
      },
      close: database.close
    }
  },
  writeAt: (file, bytes, position) => {
    before("mark")
    nodePorts.writeAt(file, bytes, position)
  }
})

const sqliteCodes = { sync: 1034, write: 778, full: 13, read: 266, open: 14 }

const edit = (file: string, change: (database: DatabaseSync) => void): void => {
  const database = new DatabaseSync(file)
  change(database)
  database.close()
}

const flip = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy[at]! ^= 0x10
  return copy
}

/** Flips a bit in the stored bytes of the entries `from` to `to`. */
export const damageRecords = (file: string, from: number, to: number): void =>
  edit(file, (database) => {
    for (const row of database.prepare("SELECT first, body FROM batch").all()) {
      const first = Number(row["first"])
      let body = row["body"] as Uint8Array
      for (const entry of decodeBatch(body, first)?.entries ?? []) {
        if (entry === undefined || entry.index < from || entry.index > to) continue
        body = flip(body, entry.data.byteOffset - (row["body"] as Uint8Array).byteOffset)
      }
      database.prepare("UPDATE batch SET body = ? WHERE first = ?").run(body, first)
    }
  })

export const sqliteLog = (thread: "inline" | "worker"): LogUnderTest => {
  const directory = temporaryDirectory()
  let generation = 0
  let file = path.join(directory, "log-0")
  let failing: keyof typeof sqliteCodes | undefined
  const open: Array<LogStorage> = []
  const ports = hookedPorts((sql) => {
    if (failing === undefined || sql !== "COMMIT") return
    const errcode = sqliteCodes[failing]
    failing = undefined
    throw Object.assign(new Error("injected"), { errcode })
  })
  const damageRow = (table: string, where: string): void =>
    edit(file, (database) => {
      const body = database.prepare(`SELECT body FROM ${table} WHERE ${where}`).get()!["body"] as Uint8Array
      database.prepare(`UPDATE ${table} SET body = ? WHERE ${where}`).run(flip(body, 5))
    })
  return {
    open: async () => {
      const log = thread === "inline" ? openInline({ path: file }, ports) : await openWorker({ path: file })
      open.push(log)
      return log
    },
    crash: () => {
      const next = path.join(directory, `log-${++generation}`)
      copyLog(file, next)
      file = next
      failing = undefined
    },
    damageEntries: ({ from, to }) => damageRecords(file, from, to),
    damageSnapshot: () => damageRow("piece", "start = 100"),
    damageHardState: () => {
      damageRow("head", "id = 1")
      damageRow("head_copy", "id = 1")
    },
    ...(thread === "inline" ? { failNext: (kind: keyof typeof sqliteCodes) => void (failing = kind) } : {}),
    newerFormat: () => edit(file, (database) => database.exec("PRAGMA user_version = 2")),
    foreign: () => edit(file, (database) => database.exec("PRAGMA application_id = 77")),
    dispose: async () => {
      for (const log of open) await new Promise<void>((resolve) => log.close(() => resolve()))
      removeDirectory(directory)
    }
  }
}
