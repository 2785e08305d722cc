/**
 * The program with real processes that are really killed: `kill -9` of its workers, `kill -9` and Ctrl-C of itself. The index
 * is that of a quiet run each time. Full size: `npm start -- --processes 4 --kill --kills 20`.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { drawing } from "../src/draw.ts"

const isFull = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 7)
const FILES = isFull ? 600 : 60
const KILLS = isFull ? 60 : 3
const ROUNDS = isFull ? 20 : 1
/** Rounds in which nothing was hit, since the run had ended before, are done again. */
const ROUNDS_MAX = 50
const TIMEOUT = 600_000

let root = ""
let stores = ""
let quiet: { readonly digest: string; readonly words: number }
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "weft-processes-"))
  stores = mkdtempSync(join(tmpdir(), "weft-processes-store-"))
  const draw = drawing(seed)
  for (let i = 0; i < FILES; i++) {
    const words = Array.from({ length: 800 }, () => `word${draw(500)}${draw(20) === 0 ? "\n" : " "}`)
    const folder = join(root, `part${i % 9}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${i}.txt`), words.join(""))
    utimesSync(join(folder, `${i}.txt`), 1000, 1000)
  }
  quiet = await json("--store", "inproc")
}, TIMEOUT)
afterAll(() => [root, stores].forEach((path) => rmSync(path, { recursive: true, force: true })))

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the program; `onStart` may do something to it. */
const start = (args: ReadonlyArray<string>, onStart?: (pid: number) => void) =>
  new Promise<Ended>((done) => {
    const child = spawn(process.execPath, [main, root, "--json", ...args], { stdio: ["ignore", "pipe", "pipe"] })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (data) => (stdout += String(data)))
    child.stderr.on("data", (data) => (stderr += String(data)))
    child.on("close", (code, signal) => done({ code, signal, stdout, stderr }))
    onStart?.(child.pid!)
  })

const json = async (...args: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await start(args)
  assert.strictEqual(code, 0, stderr)
  return JSON.parse(stdout)
}

/** Waits until the store is there, so that work is under way, and a little longer; then sends a signal. */
const interrupting = (store: string, signal: NodeJS.Signals, afterMillis: number) => (pid: number) => {
  const timer = setInterval(() => {
    if (!existsSync(`${store}-wal`)) return
    clearInterval(timer)
    setTimeout(() => {
      try {
        process.kill(pid, signal)
      } catch (error) {
        // It may have ended just now; the test counts those that had not.
        if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
      }
    }, afterMillis)
  }, 2)
}

describe("processes on one file", () => {
  const args = ["--processes", "2", "--workers", "2", "--seed", String(seed)]
  const kill = ["--kill", "--kills", String(KILLS)]
  const rename = ["--rename", "--renames", String(KILLS)]

  it(
    `give the digest of a quiet run with ${KILLS} kills and ${KILLS} moved directories (seed ${seed})`,
    async () => {
      const { digest, kills, quietDigest, renames, takenOver, words } = await json(...args, ...kill, ...rename)
      assert.deepStrictEqual([kills, renames], [KILLS, KILLS])
      assert.isAtLeast(takenOver, 1, "no work was orphaned: the kills checked nothing")
      assert.notStrictEqual(digest, quiet.digest, "nothing was moved")
      assert.strictEqual(digest, quietDigest)
      assert.strictEqual(words, quiet.words)
    },
    TIMEOUT
  )

  it.skipIf(!isFull)(
    `the same, killed and moved one after the other (full size; seed ${seed})`,
    async () => {
      const killed = await json(...args, ...kill)
      assert.deepStrictEqual([killed.kills, killed.digest], [KILLS, quiet.digest])
      const moved = await json(...args, ...rename)
      assert.deepStrictEqual([moved.renames, moved.digest], [KILLS, moved.quietDigest])
    },
    TIMEOUT
  )

  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    it(
      `${signal} of the whole program: the next run goes on, with the same digest (seed ${seed})`,
      async () => {
        const store = join(stores, `${signal}.weft`)
        const draw = drawing(seed)
        let hit = 0
        for (let round = 0; hit < ROUNDS && round < ROUNDS_MAX; round++) {
          const args = ["--store", `file:${store}`, "--processes", String(2 - (round % 2))]
          const after = draw(isFull ? 3000 : 800)
          const { code, signal: by, stderr } = await start(args, interrupting(store, signal, after))
          // It had done its work before it was hit, or there was nothing left to do.
          if (code === 0) {
            for (const end of ["", "-wal", "-shm", "-wake", "-turn", "-sums"]) rmSync(store + end, { force: true })
            continue
          }
          hit += 1
          if (signal === "SIGINT") assert.include(stderr, "the same command goes on from here")
          else assert.strictEqual(by, "SIGKILL")
        }
        assert.strictEqual(hit, ROUNDS, "too little was interrupted: the check checked nothing")
        const last = await json("--store", `file:${store}`)
        assert.strictEqual(last.digest, quiet.digest)
        assert.strictEqual(last.files, FILES)
      },
      TIMEOUT
    )
  }
})
