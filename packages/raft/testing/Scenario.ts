/**
 * Text scenarios: a file of blocks, each of commands, a line `----`, and what the nodes did, which is what a reviewer reads.
 * `runScenario` gives the file with the output as it is now; a test compares, `UPDATE=1` rewrites (commit a changed line only
 * if you can say which change caused it).
 *
 * Commands (`quiet` before one hides its output; `#` begins a comment):
 * - `nodes a b c [learners=d] [limit=value ..] [lease=0.1] [supports=1]`: first nodes of a cluster. Named limits as in `Limits`.
 * - `join d [supports=1]`: a node with an empty disk.
 * - `tick a|all [n]`, `campaign a`, `propose a word [session=s seq=n resolved=n]`, `big a length`, `open a`, `close a s`,
 *   `expire a index`, `version a n`, `read a [lease]`, `transfer a [b]`, `change a voters=a,b [learners=c] [force]`, `compact a`.
 * - `beat a [n]`: n times a tick of a and then `settle`.
 * - `deliver [a->b] [Type] [n]`: the oldest messages (of a link, of a type); `settle`: all until none is left.
 * - `drop [a->b] [Type]`, `double [a->b] [Type]`, `reverse` (the queue), `queue` (prints it).
 * - `cut a b ..`: the named nodes hear and reach only each other; `oneway a b`: a's messages to b are lost; `heal`.
 * - `disk a hold|auto`, `release a [n]`: writes wait, and become durable. `crash a [n]`: n of them had. `restart a`.
 * - `backup a`, `rollback a`, `lose a`, `damage a from..to`, `damage-snapshot a`, `forget-tail a`: of a crashed node's disk.
 * - `scrub a from..to`: a running node finds damage. `fail a`: a failed sync. `unreachable a b`. `hold-snapshots a`.
 * - `status [a]`, `log [a]`.
 */
import { encodeNumber } from "../src/core/Configurations.ts"
import { renderMessage } from "../src/core/Render.ts"
import { defaultLimits, type Limits, type Message, type Proposal, type RaftOptions } from "../src/core/Types.ts"
import { ScenarioNode } from "./scenario/Node.ts"

const encoder = new TextEncoder()

/** Deliveries of one `settle`; more means that messages go in circles. */
const SETTLE_MESSAGES_MAX = 20_000

class World {
  readonly nodes = new Map<string, ScenarioNode>()
  queue: Array<Message> = []
  private cuts: ReadonlySet<string> | undefined
  private readonly oneway = new Set<string>()
  private options: Pick<RaftOptions, "limits" | "leaseDriftBound"> = {}
  private requests = 0
  private lines: Array<string> = []
  private silent = false

  run(line: string): ReadonlyArray<string> {
    this.lines = []
    const words = line.trim().split(/\s+/)
    this.silent = words[0] === "quiet"
    if (this.silent) words.shift()
    this.command(words[0] ?? "", words.slice(1))
    return this.lines
  }

  private readonly print = (line: string): void => {
    if (!this.silent) this.lines.push(line)
  }

  private node(id: string | undefined): ScenarioNode {
    const node = this.nodes.get(id ?? "")
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  private many(id: string | undefined): ReadonlyArray<ScenarioNode> {
    return id === undefined || id === "all" ? [...this.nodes.values()] : [this.node(id)]
  }

  private add(id: string, options: Partial<RaftOptions>): void {
    const seed = [...id].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7)
    const all = { id, seed, ...this.options, ...options }
    this.nodes.set(id, new ScenarioNode(all, (message) => this.post(message), this.print))
  }

  private post(message: Message): void {
    if (this.isCut(message)) return
    this.queue.push(message)
  }

  private isCut({ from, to }: Message): boolean {
    if (this.oneway.has(`${from}->${to}`)) return true
    return this.cuts !== undefined && this.cuts.has(from) !== this.cuts.has(to)
  }

  private create(words: ReadonlyArray<string>): void {
    const limits: Record<string, number> = {}
    const ids: Array<string> = []
    let learners: ReadonlyArray<string> = []
    let supports = 0
    for (const word of words) {
      const [name, value] = word.split("=") as [string, string | undefined]
      if (value === undefined) ids.push(name)
      else if (name === "learners") learners = value.split(",")
      else if (name === "supports") supports = Number(value)
      else if (name === "lease") this.options = { ...this.options, leaseDriftBound: Number(value) }
      else if (name in defaultLimits) limits[name] = Number(value)
      else throw new Error(`no limit ${name}`)
    }
    this.options = { ...this.options, limits: limits as Partial<Limits> }
    const bootstrap = { voters: ids, outgoing: [], learners, learnersNext: [], addresses: {} }
    for (const id of [...ids, ...learners]) this.add(id, { bootstrap, supports })
  }

  private propose(id: string | undefined, proposal: Partial<Proposal>): void {
    const requestId = ++this.requests
    const whole: Proposal = {
      kind: "command",
      session: 0,
      sequence: 0,
      resolved: 0,
      data: new Uint8Array(0),
      ...proposal
    }
    this.node(id).step({ _tag: "Propose", requestId, proposal: whole })
  }

  /** Those of the queue that a pattern like `a->b Append` means. */
  private matching(words: ReadonlyArray<string>): (message: Message) => boolean {
    const link = words.find((word) => word.includes("->"))
    const type = words.find((word) => /^[A-Z]/.test(word))
    return ({ _tag, from, to }) =>
      (link === undefined || link === `${from}->${to}` || link === `${from}->` || link === `->${to}`) &&
      (type === undefined || type === _tag)
  }

  private take(words: ReadonlyArray<string>, max: number): ReadonlyArray<Message> {
    const wanted = this.matching(words)
    const taken: Array<Message> = []
    this.queue = this.queue.filter((message) => {
      if (taken.length >= max || !wanted(message)) return true
      taken.push(message)
      return false
    })
    return taken
  }

  private give(message: Message): void {
    if (!this.isCut(message)) this.nodes.get(message.to)?.step({ _tag: "Receive", message })
  }

  private settle(): void {
    for (let count = 0; this.queue.length > 0; count++) {
      if (count > SETTLE_MESSAGES_MAX) throw new Error("the nodes talk without end")
      this.give(this.queue.shift() as Message)
    }
  }

  private command(name: string, words: ReadonlyArray<string>): void {
    const [first, second] = words
    const network = networkCommands[name]
    const disk = diskCommands[name]
    const request = requestCommands[name]
    if (network !== undefined) return network(this, words)
    if (disk !== undefined) return disk(this.node(first), second ?? "")
    if (request !== undefined) return request(this, this.node(first), words)
    switch (name) {
      case "nodes":
        return this.create(words)
      case "join": {
        const supports = words.find((word) => word.startsWith("supports="))
        return this.add(first ?? "", supports === undefined ? {} : { supports: Number(supports.slice(9)) })
      }
      case "tick":
        for (let n = Number(second ?? 1); n > 0; n--) for (const node of this.many(first)) node.tick()
        return
      case "beat":
        for (let n = Number(second ?? 1); n > 0; n--) {
          this.node(first).tick()
          this.settle()
        }
        return
      case "status":
        return this.many(first).forEach((node) => node.status().forEach(this.print))
      case "log":
        return this.many(first).forEach((node) => node.log().forEach(this.print))
      default:
        throw new Error(`no command ${name}`)
    }
  }

  /** The commands of the tables below. */
  readonly api = {
    deliver: (words: ReadonlyArray<string>) => {
      const count = words.find((word) => /^\d+$/.test(word))
      for (const message of this.take(words, Number(count ?? Infinity))) this.give(message)
    },
    drop: (words: ReadonlyArray<string>) => void this.take(words, Infinity),
    double: (words: ReadonlyArray<string>) => {
      const wanted = this.matching(words)
      this.queue = [...this.queue, ...this.queue.filter(wanted)]
    },
    settle: () => this.settle(),
    show: () => this.queue.forEach((message) => this.print(renderMessage(message))),
    cut: (words: ReadonlyArray<string>) => {
      this.cuts = new Set(words)
      this.queue = this.queue.filter((message) => !this.isCut(message))
    },
    oneway: ([from, to]: ReadonlyArray<string>) => void this.oneway.add(`${from}->${to}`),
    heal: () => {
      this.cuts = undefined
      this.oneway.clear()
    },
    propose: (id: string, proposal: Partial<Proposal>) => this.propose(id, proposal),
    requestId: () => ++this.requests
  }
}

const networkCommands: Record<string, (world: World, words: ReadonlyArray<string>) => void> = {
  deliver: (world, words) => world.api.deliver(words),
  drop: (world, words) => world.api.drop(words),
  double: (world, words) => world.api.double(words),
  reverse: (world) => void world.queue.reverse(),
  queue: (world) => world.api.show(),
  settle: (world) => world.api.settle(),
  cut: (world, words) => world.api.cut(words),
  oneway: (world, words) => world.api.oneway(words),
  heal: (world) => world.api.heal()
}

const rangeOf = (word: string): readonly [number, number] => {
  const [from, to] = word.split("..").map(Number) as [number, number | undefined]
  return [from, to ?? from]
}

const diskCommands: Record<string, (node: ScenarioNode, word: string) => void> = {
  disk: (node, word) => {
    node.disk = word === "hold" ? "hold" : "auto"
    if (node.disk === "auto") node.release(Infinity)
  },
  release: (node, word) => node.release(word === "" ? Infinity : Number(word)),
  crash: (node, word) => node.crash(Number(word)),
  restart: (node) => node.start(),
  backup: (node) => node.save(),
  rollback: (node) => node.rollback(),
  lose: (node) => node.lose(),
  damage: (node, word) => node.damage(...rangeOf(word)),
  "damage-snapshot": (node) => node.damageSnapshot(),
  "forget-tail": (node) => node.forgetTail(),
  scrub: (node, word) => {
    const [from, to] = rangeOf(word)
    node.step({ _tag: "DamageFound", from, to })
  },
  fail: (node) => node.step({ _tag: "DiskFailed", reason: "sync failed" }),
  unreachable: (node, peer) => node.step({ _tag: "Unreachable", peer }),
  "hold-snapshots": (node) => void (node.holdSnapshots = true)
}

const numberOf = (words: ReadonlyArray<string>, name: string): number =>
  Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? 0)

const listOf = (words: ReadonlyArray<string>, name: string): ReadonlyArray<string> =>
  words
    .find((word) => word.startsWith(`${name}=`))
    ?.slice(name.length + 1)
    .split(",")
    .filter((word) => word !== "") ?? []

const requestCommands: Record<string, (world: World, node: ScenarioNode, words: ReadonlyArray<string>) => void> = {
  campaign: (_, node) => node.step({ _tag: "Campaign" }),
  compact: (_, node) => node.step({ _tag: "Compact" }),
  propose: (world, node, words) =>
    world.api.propose(node.id, {
      data: encoder.encode(words[1] ?? ""),
      session: numberOf(words, "session"),
      sequence: numberOf(words, "seq"),
      resolved: numberOf(words, "resolved")
    }),
  big: (world, node, words) => world.api.propose(node.id, { data: encoder.encode("x".repeat(Number(words[1]))) }),
  open: (world, node) => world.api.propose(node.id, { kind: "openSession" }),
  close: (world, node, words) => world.api.propose(node.id, { kind: "closeSession", session: Number(words[1]) }),
  expire: (world, node, words) =>
    world.api.propose(node.id, { kind: "expireSessions", data: encodeNumber(Number(words[1])) }),
  version: (world, node, words) =>
    world.api.propose(node.id, { kind: "version", data: encodeNumber(Number(words[1])) }),
  read: (world, node, words) =>
    node.step({
      _tag: "Read",
      requestId: world.api.requestId(),
      mode: words[1] === "lease" ? "lease" : "readIndex"
    }),
  transfer: (world, node, words) => node.step({ _tag: "Transfer", requestId: world.api.requestId(), to: words[1] }),
  change: (world, node, words) =>
    node.step({
      _tag: "ChangeMembership",
      requestId: world.api.requestId(),
      voters: listOf(words, "voters"),
      learners: listOf(words, "learners"),
      addresses: {},
      force: words.includes("force")
    })
}

/** Runs a scenario's text and gives it back with the output as it is. Throws on a command that does not exist. */
export const runScenario = (text: string): string => {
  const world = new World()
  const blocks = text.trim().split(/\n\s*\n/)
  const done = blocks.map((block) => {
    const lines = block.split("\n")
    const divider = lines.indexOf("----")
    const head = divider < 0 ? lines : lines.slice(0, divider)
    const commands = head.filter((line) => line.trim() !== "" && !line.startsWith("#"))
    if (commands.length === 0) return head.join("\n")
    const output = commands.flatMap((line) => world.run(line))
    return [...head, "----", ...(output.length === 0 ? ["ok"] : output)].join("\n")
  })
  return `${done.join("\n\n")}\n`
}
