/**
 * The thread of one log. Takes all commands that wait, makes one transaction (and one sync) of neighbouring writes, and
 * answers them together: what arrives while the disk is busy is the next batch, without a timer.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import { type Command, type Reply, toPlain } from "./sqliteCommands.ts"
import { SqliteEngine } from "./sqliteEngine.ts"
import { failureOf } from "./sqliteFile.ts"
import { Runner, type WorkerHello } from "./sqliteLanes.ts"
import { nodePorts } from "./sqlitePorts.ts"

/** Works that share a transaction at most: bounds how long the first of them waits for the last. */
const worksMax = 1024

const open = (port: MessagePort): Runner | undefined => {
  try {
    const engine = new SqliteEngine(nodePorts, workerData.file)
    port.postMessage({ opened: true, restored: engine.restored } satisfies WorkerHello)
    return new Runner(engine)
  } catch (error) {
    port.postMessage({ opened: false, reason: toPlain(failureOf(error, "open").reason) } satisfies WorkerHello)
    return undefined
  }
}

const waiting = (port: MessagePort, first: Command): Array<Command> => {
  const commands = [first]
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    commands.push(next.message)
  }
  return commands
}

/** Runs one group. If a group of writes is refused, each is asked for alone, so that only the culprit hears of it. */
const runGroup = (runner: Runner, group: ReadonlyArray<Command>): ReadonlyArray<Reply> => {
  const [only] = group
  if (group.length === 1) {
    const { failure, value } = runner.run(only!)
    return [failure === undefined ? { ok: true, value } : { ok: false, reason: toPlain(failure) }]
  }
  const works = group.flatMap((command) => (command.op === "persist" ? command.works : []))
  const { failure } = runner.run({ op: "persist", works })
  if (failure?._tag === "Refused") return group.flatMap((command) => runGroup(runner, [command]))
  return group.map(() =>
    failure === undefined ? { ok: true, value: undefined } : { ok: false, reason: toPlain(failure) }
  )
}

const groupsOf = (commands: ReadonlyArray<Command>): ReadonlyArray<ReadonlyArray<Command>> => {
  const groups: Array<Array<Command>> = []
  for (const command of commands) {
    const group = groups.at(-1)
    if (command.op === "persist" && group?.[0]?.op === "persist" && group.length < worksMax) group.push(command)
    else groups.push([command])
  }
  return groups
}

const port = parentPort
const runner = port === null ? undefined : open(port)
if (port !== null && runner !== undefined) {
  port.on("message", (first: Command) => {
    const commands = waiting(port, first)
    for (const group of groupsOf(commands)) port.postMessage(runGroup(runner, group))
    // The thread ends when nothing listens any more.
    if (commands.some(({ op }) => op === "close")) port.close()
    else runner.rest()
  })
}
