/**
 * Crashes of the SQLite log, enumerated. What is shown, and how:
 * - process kill: the files are copied before every statement that may write (and before the mark is written), which is
 *   what a SIGKILL there would leave in the page cache; every copy is opened again. Also while a log is created;
 * - power loss: the bytes that a write adds to the write-ahead log are cut at every sector, and single sectors of them are
 *   lost or zeroed, under every mark that may be on the disk by then; the same for pages of a checkpoint;
 * - a real SIGKILL of a process that writes through the worker thread.
 * Not shown: disks that lose synced bytes (damage, see logStorageDamage.test.ts) and directories that lose synced names.
 *
 * Replay: WEFT_SEED=<seed> npx vitest run packages/raft/test/logStorageCrash.test.ts
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, expect, it } from "vitest"
import type { Restored } from "../src/core/Types.ts"
import { openInline } from "../src/SqliteLogStorage.ts"
import { close, entries, hardState, sameRestored, work } from "../testing/logStorage/support.ts"
import { SeededRandom } from "../testing/sim/Random.ts"
import { expectations, randomScript, runNow, type Step } from "./support/script.ts"
import { copyLog, hookedPorts, removeDirectory, temporaryDirectory } from "./support/sqliteLog.ts"

const full = process.env["WEFT_SCALE"] === "full"
const seed = Number(process.env["WEFT_SEED"] ?? 20261121)
const replay = `replay: WEFT_SEED=${seed} npx vitest run packages/raft/test/logStorageCrash.test.ts`

let directory = ""
beforeEach(() => (directory = temporaryDirectory()))
afterEach(() => removeDirectory(directory))

/** Opens a copy, looks, and closes it. */
const look = (file: string): Restored => {
  const log = openInline({ path: file })
  log.close(() => {})
  return log.restored
}

const equal = (a: Restored, b: Restored): boolean => {
  try {
    sameRestored(a, b)
    return true
  } catch {
    return false
  }
}

/** Which of the expected states a copy opens to; fails if none. */
const stateOf = (
  file: string,
  states: ReadonlyArray<Restored>,
  allowed: ReadonlyArray<number>,
  what: string
): number => {
  const restored = look(file)
  const found = allowed.find((state) => states[state] !== undefined && equal(restored, states[state]))
  if (found === undefined) {
    sameRestored(restored, states[allowed[0]!]!)
    expect.unreachable(`${what}: opened to another state than ${allowed.join(" or ")}; ${replay}`)
  }
  return found!
}

it(`a kill before any statement leaves each step whole or absent (${replay})`, () => {
  const random = new SeededRandom(seed, "kill")
  for (let script = 0; script < (full ? 20 : 3); script++) {
    const steps = randomScript(random, full ? 40 : 22)
    const states = expectations(steps)
    const live = path.join(directory, `live-${script}`)
    let images = 0
    let done = 0
    const before = new Map<number, number>()
    const log = openInline(
      { path: live },
      hookedPorts(() => {
        copyLog(live, `${live}-${images}`)
        before.set(images++, done)
      })
    )
    images = 0
    for (const step of steps) {
      runNow(log, step)
      done++
    }
    let ahead = 0
    for (let image = 0; image < images; image++) {
      const acknowledged = before.get(image)!
      const what = `script ${script}, image ${image}, during ${steps[acknowledged]?.op}`
      if (stateOf(`${live}-${image}`, states, [acknowledged, acknowledged + 1], what) > acknowledged) ahead++
    }
    // The hook before the mark sees writes that are durable and not yet acknowledged: both answers must occur.
    expect(images).toBeGreaterThan(steps.length)
    expect(ahead).toBeGreaterThan(0)
    log.close(() => {})
  }
})

it("a kill while a log is created leaves none or an empty one", () => {
  let images = 0
  const live = path.join(directory, "new")
  const copyAll = (): void => {
    fs.mkdirSync(path.join(directory, `at-${images}`))
    for (const name of fs.readdirSync(directory)) {
      if (name.startsWith("new"))
        fs.copyFileSync(path.join(directory, name), path.join(directory, `at-${images}`, name))
    }
    images++
  }
  openInline({ path: live }, hookedPorts(copyAll)).close(() => {})
  expect(images).toBeGreaterThan(6)
  const empty = look(live)
  for (let image = 0; image < images; image++) sameRestored(look(path.join(directory, `at-${image}`, "new")), empty)
})

const sector = 512

/** Copies of a write-ahead log that a power cut may leave when only its first `synced` bytes were synced. */
const torn = function* (wal: Buffer, synced: number, old: Buffer, random: SeededRandom): Generator<Buffer> {
  const sectors = Math.ceil((wal.length - synced) / sector)
  const rest = Buffer.concat([old, Buffer.alloc(Math.max(0, wal.length - old.length))])
  for (let kept = 0; kept < sectors; kept++) {
    const cut = Math.min(synced + kept * sector, wal.length)
    yield wal.subarray(0, cut)
    // The length is there, the bytes are not.
    yield Buffer.concat([wal.subarray(0, cut), rest.subarray(cut)])
    // One sector is lost, what follows it is there.
    const hole = Buffer.from(wal)
    rest.copy(hole, cut, cut, Math.min(cut + sector, wal.length))
    yield hole
  }
  for (let times = 0; times < 4; times++) {
    const some = Buffer.from(wal)
    for (let at = synced; at < wal.length; at += sector) if (random.below(2) === 0) rest.copy(some, at, at, at + sector)
    yield some
  }
}

it(`a power cut in the middle of a write leaves it whole or absent, and nothing counts as damaged (${replay})`, () => {
  const random = new SeededRandom(seed, "power")
  const steps = randomScript(random, full ? 30 : 9, 60)
  const states = expectations(steps)
  const live = path.join(directory, "live")
  const log = openInline({ path: live })
  let images = 0
  copyLog(live, `${live}-0`)
  for (const [done, step] of steps.entries()) {
    runNow(log, step)
    copyLog(live, `${live}-${done + 1}`)
    const old = readOr(`${live}-${done}-wal`)
    const wal = readOr(`${live}-${done + 1}-wal`)
    const cut = path.join(directory, "cut")
    for (const bytes of torn(wal, old.length, old, random)) {
      copyLog(`${live}-${done}`, cut)
      fs.writeFileSync(`${cut}-wal`, bytes)
      // The mark is never synced: any older one may be what the disk has.
      fs.copyFileSync(`${live}-${random.below(done + 1)}-mark`, `${cut}-mark`)
      stateOf(cut, states, [done, done + 1], `cut ${images} in step ${done} (${step.op})`)
      images++
    }
  }
  log.close(() => {})
  expect(images).toBeGreaterThan(100)
})

const readOr = (file: string): Buffer => (fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0))

it(`a power cut in the middle of a checkpoint loses nothing (${replay})`, () => {
  const random = new SeededRandom(seed, "checkpoint")
  const live = path.join(directory, "live")
  const steps = Array.from({ length: 10 }, (_, at): Step => {
    const big = entries(at * 8 + 1, at * 8 + 8).map((one) => ({ ...one, data: Buffer.alloc(60_000, one.index) }))
    return { op: "persist", works: [work({ hardState: hardState(at + 1, "a"), entries: big })] }
  })
  const states = expectations(steps)
  let checkpoints = 0
  let done = 0
  const log = openInline(
    { path: live },
    hookedPorts((sql) => {
      if (!sql.includes("wal_checkpoint")) return
      copyLog(live, `${live}-before`)
      checkpoints++
    })
  )
  for (const step of steps) {
    const seen = checkpoints
    runNow(log, step)
    done++
    if (checkpoints === seen) continue
    const [old, fresh] = [fs.readFileSync(`${live}-before`), fs.readFileSync(live)]
    for (let times = 0; times < (full ? 100 : 8); times++) {
      const pages = Buffer.from(fresh)
      for (let at = 0; at < fresh.length; at += 4096) {
        if (random.below(2) === 0) pages.set(old.subarray(at, at + 4096), at)
      }
      copyLog(`${live}-before`, `${live}-cut`)
      fs.writeFileSync(`${live}-cut`, pages)
      stateOf(`${live}-cut`, states, [done], `checkpoint ${checkpoints}, times ${times}`)
    }
  }
  log.close(() => {})
  expect(checkpoints).toBeGreaterThan(0)
})

it("every write but that of a waiting piece is committed with a full sync", () => {
  const steps = randomScript(new SeededRandom(seed, "sync"), 40)
  let synchronous = ""
  const commits: Array<string> = []
  const log = openInline(
    { path: path.join(directory, "log") },
    hookedPorts((sql) => {
      synchronous = /synchronous = (\w+)/.exec(sql)?.[1] ?? synchronous
      if (sql === "COMMIT") commits.push(synchronous)
    })
  )
  for (const step of steps) {
    commits.length = 0
    runNow(log, step)
    expect(commits).toEqual([step.op === "piece" ? "NORMAL" : "FULL"])
  }
  log.close(() => {})
})

it("a process killed while it writes through the worker thread loses nothing that it reported", async () => {
  const script = fileURLToPath(new URL("./support/writer.ts", import.meta.url))
  for (let round = 0; round < (full ? 30 : 2); round++) {
    const file = path.join(directory, `killed-${round}`)
    const child = spawn(process.execPath, [script, file], { stdio: ["ignore", "pipe", "inherit"] })
    let reported = 0
    const enough = 20 + round * 37
    for await (const line of createInterface({ input: child.stdout })) {
      reported = Number(line)
      if (reported >= enough) child.kill("SIGKILL")
    }
    const restored = look(file)
    const { term } = restored.hardState
    expect(term).toBeGreaterThanOrEqual(reported)
    expect(restored.entries.length).toBe(2 * term)
    expect(restored.damaged).toEqual([])
  }
})

it("a disk that takes no more is a typed failure, final, and loses nothing that was reported", async () => {
  const script = fileURLToPath(new URL("./support/writer.ts", import.meta.url))
  const file = path.join(directory, "full")
  // Files of this process may not grow beyond 400 KiB: SQLite gets a real error from the kernel.
  const limited = `ulimit -f 400; exec "$0" "$1" "$2"`
  const child = spawn("bash", ["-c", limited, process.execPath, script, file], { stdio: ["ignore", "pipe", "inherit"] })
  let reported = 0
  let end = ""
  for await (const line of createInterface({ input: child.stdout })) {
    if (Number.isNaN(Number(line))) end += `${line}\n`
    else reported = Number(line)
  }
  expect(end).toMatch(/IoFailed (write|full)\nthen Ended\n/)
  expect(reported).toBeGreaterThan(5)
  const log = openInline({ path: file })
  expect(log.restored.hardState.term).toBeGreaterThanOrEqual(reported)
  expect(log.restored.entries.length).toBe(2 * log.restored.hardState.term)
  await close(log)
})
