/**
 * What the file store is measured beside: stores that are embedded like it, each durable at every answer, and the least that
 * a disk allows: an appended record and its sync, alone and shared by many writers. Rates are by the clock: all wait for it.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { ClassicLevel } from "classic-level"
import { open } from "lmdb"
import type { Subject } from "../lib.ts"
import { inDirectory, promiseRate, wallRate } from "./fileSupport.ts"
import { must } from "./peers.ts"

/** Bytes of a value. */
const VALUE_BYTES = 100
export const TEXT = "x".repeat(VALUE_BYTES)

/** Bytes of a record that only says what was written. */
const RECORD = Buffer.alloc(200, 7)

/** Keys that a single writer goes round on. */
export const KEYS = 1000

export const fdatasyncAppend: Subject = {
  name: `append ${RECORD.length} bytes, fdatasync`,
  run: (seconds) =>
    inDirectory(async (directory) => {
      const fd = fs.openSync(path.join(directory, "log"), "a")
      const value = wallRate(() => {
        fs.writeSync(fd, RECORD)
        fs.fdatasyncSync(fd)
      }, seconds)
      fs.closeSync(fd)
      return { value }
    })
}

/** Whoever comes while a sync is under way shares the next one. */
export const groupCommit = (writers: number): Subject => ({
  name: `append ${RECORD.length} bytes each, one fdatasync for all that wait`,
  run: (seconds) =>
    inDirectory(async (directory) => {
      const fd = fs.openSync(path.join(directory, "log"), "a")
      let waiting: Array<() => void> = []
      let isBusy = false
      const flush = (): void => {
        const told = waiting
        waiting = []
        fs.write(fd, Buffer.concat(told.map(() => RECORD)), () =>
          fs.fdatasync(fd, () => {
            isBusy = false
            for (const tell of told) tell()
            start()
          })
        )
      }
      const start = (): void => {
        if (isBusy || waiting.length === 0) return
        isBusy = true
        setImmediate(flush)
      }
      const commit = () =>
        new Promise<void>((tell) => {
          waiting.push(tell)
          start()
        })
      const value = await promiseRate(commit, writers, seconds)
      fs.closeSync(fd)
      return { value }
    })
})

const onSqlite = async (use: (db: DatabaseSync) => number): Promise<number> =>
  inDirectory(async (directory) => {
    const db = new DatabaseSync(path.join(directory, "peer.db"))
    db.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE kv (k TEXT PRIMARY KEY, v TEXT, version INTEGER)"
    )
    try {
      return use(db)
    } finally {
      db.close()
    }
  })

const upsert = "INSERT INTO kv VALUES (?, ?, 1) ON CONFLICT (k) DO UPDATE SET v = excluded.v, version = version + 1"

/** One process alone with the file; no log of changes, no checksums, no outcomes. */
export const sqlite: Subject = {
  name: "SQLite, WAL FULL: read a row, write it if unchanged",
  run: async (seconds) => ({
    value: await onSqlite((db) => {
      const set = db.prepare(upsert)
      for (let i = 0; i < KEYS; i++) set.run(`k${i}`, TEXT)
      const get = db.prepare("SELECT v, version FROM kv WHERE k = ?")
      const cas = db.prepare("UPDATE kv SET v = ?, version = version + 1 WHERE k = ? AND version = ?")
      return wallRate((i) => {
        const { version } = get.get(`k${i % KEYS}`) as { readonly version: number }
        must(Number(cas.run(TEXT, `k${i % KEYS}`, version).changes) === 1, "a row changed by itself")
      }, seconds)
    })
  })
}

export const sqliteGroup = (rows: number): Subject => ({
  name: `SQLite, WAL FULL: ${rows} rows in each transaction, of one writer`,
  run: async (seconds) => ({
    value:
      rows *
      (await onSqlite((db) => {
        const set = db.prepare(upsert)
        return wallRate(() => {
          db.exec("BEGIN IMMEDIATE")
          for (let i = 0; i < rows; i++) set.run(`k${i}`, TEXT)
          db.exec("COMMIT")
        }, seconds)
      }))
  })
})

export const lmdb = (writers: number): Subject => ({
  name: `LMDB: ${writers === 1 ? "one writer" : `${writers} writers`}, get, put, flushed`,
  run: (seconds) =>
    inDirectory(async (directory) => {
      const db = open({ path: path.join(directory, "peer"), compression: false })
      const value = await promiseRate(
        async (writer, i) => {
          const key = writers === 1 ? `k${i % KEYS}` : `k${writer}`
          db.get(key)
          await db.put(key, TEXT)
          await db.flushed
        },
        writers,
        seconds
      )
      await db.close()
      return { value }
    })
})

export const level = (writers: number): Subject => ({
  name: `LevelDB (classic-level): ${writers === 1 ? "one writer" : `${writers} writers`}, put with sync`,
  run: (seconds) =>
    inDirectory(async (directory) => {
      const db = new ClassicLevel(path.join(directory, "peer"))
      const put = (writer: number, i: number) =>
        db.put(writers === 1 ? `k${i % KEYS}` : `k${writer}`, TEXT, { sync: true })
      const value = await promiseRate(put, writers, seconds)
      await db.close()
      return { value }
    })
})
