/**
 * The few things the SQLite log asks of the world, behind ports, so that tests can fail, count and photograph each step.
 * I/O, synchronous.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"

export type SqlValue = null | number | bigint | string | Uint8Array
export type Row = Record<string, SqlValue>

export interface StatementPort {
  get(...parameters: ReadonlyArray<SqlValue>): Row | undefined
  all(...parameters: ReadonlyArray<SqlValue>): ReadonlyArray<Row>
  run(...parameters: ReadonlyArray<SqlValue>): void
}

export interface DatabasePort {
  exec(sql: string): void
  prepare(sql: string): StatementPort
  close(): void
}

export interface FilePorts {
  readonly openDatabase: (file: string) => DatabasePort
  /** Overwrites bytes at a position; survives the process, not necessarily the machine. */
  readonly writeAt: (file: number, bytes: Uint8Array, position: number) => void
}

const openDatabase = (file: string): DatabasePort => {
  const database = new DatabaseSync(file, { timeout: 0 })
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql)
      return {
        get: (...parameters) => statement.get(...parameters) as Row | undefined,
        all: (...parameters) => statement.all(...parameters) as ReadonlyArray<Row>,
        run: (...parameters) => void statement.run(...parameters)
      }
    },
    close: () => database.close()
  }
}

export const nodePorts: FilePorts = {
  openDatabase,
  writeAt: (file, bytes, position) => {
    let done = 0
    while (done < bytes.length) done += fs.writeSync(file, bytes, done, bytes.length - done, position + done)
  }
}

/** Makes a creation or rename in a directory durable. Windows cannot sync directories, and need not. */
export const syncDirectory = (directory: string): void => {
  if (process.platform === "win32") return
  const handle = fs.openSync(directory, "r")
  try {
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}

export const syncFile = (file: string): void => {
  const handle = fs.openSync(file, "r+")
  try {
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}

/** Puts `from` in the place of `to`, durably. */
export const replaceFile = (from: string, to: string): void => {
  syncFile(from)
  fs.renameSync(from, to)
  syncDirectory(path.dirname(path.resolve(to)))
}
