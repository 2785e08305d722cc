/** `scripts/setup.mjs` on clones made for it, with an npm that only says what it was asked for. */
import { spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { root } from "../scripts/house/files.ts"

const folders: Array<string> = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

/** A clone with a lock of one minute ago; `npm` is the body of the program that stands for npm. */
const clone = (npm: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "weft-setup-"))
  folders.push(folder)
  mkdirSync(join(folder, "scripts"))
  copyFileSync(join(root, "scripts", "setup.mjs"), join(folder, "scripts", "setup.mjs"))
  writeFileSync(join(folder, "package-lock.json"), "{}")
  writeFileSync(join(folder, "npm.cjs"), npm)
  setAge(folder, "package-lock.json", 60)
  return folder
}

const setAge = (folder: string, file: string, secondsAgo: number): void => {
  const time = 1_700_000_000 - secondsAgo
  utimesSync(join(folder, file), time, time)
}

const installedAt = (folder: string, secondsAgo: number): void => {
  mkdirSync(join(folder, "node_modules"), { recursive: true })
  writeFileSync(join(folder, "node_modules", ".package-lock.json"), "{}")
  setAge(folder, join("node_modules", ".package-lock.json"), secondsAgo)
}

const run = (folder: string) => {
  const env = { ...process.env, npm_execpath: join(folder, "npm.cjs"), npm_node_execpath: process.execPath }
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(folder, "scripts", "setup.mjs")], {
    encoding: "utf8",
    env
  })
  return { status, output: stdout + stderr }
}

const installs = `
const fs = require("node:fs")
fs.mkdirSync("node_modules", { recursive: true })
fs.writeFileSync("node_modules/.package-lock.json", "{}")
fs.writeFileSync("asked.txt", process.argv.slice(2).join(" "))
`

describe("setup", () => {
  it("says nothing and installs nothing when what is installed is newer than the lock", () => {
    const folder = clone("process.exit(9)")
    installedAt(folder, 30)
    assert.deepStrictEqual(run(folder), { status: 0, output: "" })
  })

  it("runs npm ci in a clone without node_modules, and not again", () => {
    const folder = clone(installs)
    const first = run(folder)
    assert.strictEqual(first.status, 0)
    assert.match(readFileSync(join(folder, "asked.txt"), "utf8"), /^ci /)
    rmSync(join(folder, "asked.txt"))
    assert.deepStrictEqual(run(folder), { status: 0, output: "" })
    assert.isFalse(existsSync(join(folder, "asked.txt")))
  })

  it("runs it again when the lock has changed since, not when it was only touched", () => {
    const folder = clone(installs)
    run(folder)
    rmSync(join(folder, "asked.txt"))
    installedAt(folder, 120)
    assert.strictEqual(run(folder).output, "")
    writeFileSync(join(folder, "package-lock.json"), `{ "changed": true }`)
    assert.strictEqual(run(folder).status, 0)
    assert.isTrue(existsSync(join(folder, "asked.txt")))
  })

  it.skipIf(process.platform === "win32")("links the project's own Node where npm left the link out", () => {
    const own = `node-${process.platform}-${process.arch}`
    const folder = clone(
      `${installs}
fs.mkdirSync("node_modules/${own}/bin", { recursive: true })
fs.writeFileSync("node_modules/${own}/bin/node", "")`
    )
    assert.strictEqual(run(folder).status, 0)
    assert.strictEqual(readlinkSync(join(folder, "node_modules/.bin/node")), `../${own}/bin/node`)
    assert.deepStrictEqual(run(folder), { status: 0, output: "" })
  })

  it("tells what to do when the installation fails, and starts nothing", () => {
    const { output, status } = run(clone("process.exit(7)"))
    assert.strictEqual(status, 1)
    assert.match(output, /npm ci ended with exit code 7; nothing was started/)
  })
})
