/** The examples, as people run them. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

let folder = ""
const running: Array<ChildProcess> = []
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "weft-examples-"))))
afterAll(() => {
  for (const child of running) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

const TIMEOUT = 300_000

const start = (example: string, ...args: ReadonlyArray<string>) => {
  const file = fileURLToPath(new URL(`../examples/${example}.ts`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] })
  running.push(child)
  return child
}

/** Runs one to its end. */
const run = (example: string, ...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number | null; readonly lines: ReadonlyArray<string> }>((done) => {
    const child = start(example, ...args)
    let text = ""
    child.stdout!.on("data", (data) => (text += String(data)))
    child.on("close", (code) => done({ code, lines: text.trim().split("\n") }))
  })

/** Lines as they come. */
class Client {
  private readonly socket: Socket
  private text = ""
  private wake = () => {}

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1")
    this.socket.on("data", (data) => {
      this.text += String(data)
      this.wake()
    })
  }

  say(line: string): void {
    this.socket.write(`${line}\n`)
  }

  end(): void {
    this.socket.destroy()
  }

  get isQuiet(): boolean {
    return this.text === ""
  }

  async line(): Promise<string> {
    while (!this.text.includes("\n")) await new Promise<void>((go) => (this.wake = go))
    const end = this.text.indexOf("\n")
    const line = this.text.slice(0, end)
    this.text = this.text.slice(end + 1)
    return line
  }

  async tree(): Promise<string> {
    this.say("who")
    const lines: Array<string> = []
    for (let line = await this.line(); line !== ""; line = await this.line()) lines.push(line)
    return lines.join("\n")
  }
}

const service = async (store: string) => {
  const child = start("lockService", store)
  const text = await new Promise<string>((go) => child.stdout!.once("data", (data) => go(String(data))))
  return { child, port: Number(/listening on (\d+)/.exec(text)?.[1]) }
}

/** Until the tree shows it: another process's request takes a moment to arrive. */
const until = async (client: Client, pattern: RegExp) => {
  while (!pattern.test(await client.tree())) await new Promise((go) => setTimeout(go, 20))
}

describe("examples", () => {
  it(
    "worker sum: five processes fold tuples, and a failure is a tuple",
    async () => {
      const { code, lines } = await run("workerSum", join(folder, "sums.weft"))
      assert.deepStrictEqual(lines, ["sum 46", "no more sums", "breaking failed: ValueError 55"])
      assert.strictEqual(code, 0)
    },
    TIMEOUT
  )

  for (const store of ["memory", "file"]) {
    it(
      `paths: folders are never seen half written, deleted, renamed or copied (${store})`,
      async () => {
        const { code, lines } = await run("paths", store === "file" ? `file:${join(folder, "paths.weft")}` : store)
        const looks = /^(\d+) looks at folders, 0 torn$/.exec(lines[0]!)
        assert.isAbove(Number(looks?.[1]), 10, lines.join("\n"))
        assert.deepStrictEqual(lines.slice(1), ["/left/a 9", "/left/b 9", "/left/c 9", "/left/d 9"])
        assert.strictEqual(code, 0)
      },
      TIMEOUT
    )
  }

  it(
    "lock service: two services on one file are one; clients that go, and a service that dies, give back",
    async () => {
      const store = `file:${join(folder, "locks.weft")}`
      const [one, other] = await Promise.all([service(store), service(store)])
      const ada = new Client(one.port)
      const bob = new Client(other.port)
      const eve = new Client(other.port)
      ada.say("write /a")
      const first = /^granted (\d+)$/.exec(await ada.line())
      assert.isNotNull(first)
      bob.say("read /a/b /x")
      await until(eve, /\/a\/b\n +waits S client 1 of process \d+/)
      assert.isTrue(bob.isQuiet)
      ada.say("write /z")
      assert.strictEqual(await ada.line(), "error: release first")
      ada.end()
      const second = /^granted (\d+)$/.exec(await bob.line())
      assert.isAbove(Number(second?.[1]), Number(first?.[1]))
      bob.say("release")
      assert.strictEqual(await bob.line(), "released")
      eve.say("nonsense")
      assert.match(await eve.line(), /^error: /)

      const cid = new Client(one.port)
      cid.say("write /a")
      assert.match(await cid.line(), /^granted /)
      bob.say("write /a/b")
      await until(eve, /waits X client/)
      one.child.kill("SIGKILL")
      assert.match(await bob.line(), /^granted /)
      assert.notMatch(await eve.tree(), new RegExp(`process ${one.child.pid}`))
      for (const client of [bob, eve]) client.end()
      other.child.kill("SIGINT")
    },
    TIMEOUT
  )
})
