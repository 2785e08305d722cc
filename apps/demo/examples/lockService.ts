/**
 * A lock service: `node lockService.ts [store] [port]`. Each connection is a client that locks paths by lines of text, as
 * `nc localhost PORT` does it:
 *
 *     write /a/b /c      waits, then says "granted" and a fencing token
 *     read /a            as well; one request at a time and connection
 *     release            gives back
 *     who                the holders and waiters, as a tree, and an empty line
 *
 * A client that goes gives back what it holds. Services on one file are one service: when one of them dies, the others give
 * back what its clients had.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Socket from "effect/socket/Socket"
import * as Backends from "@weft/backends/Backends"
import * as Lock from "@weft/domain/Lock"
import { Store } from "@weft/domain/Store"

/** Lines that a client may send ahead; then it has to wait. */
const LINES_AHEAD_MAX = 64

const tree = Lock.make("service")

const client = Effect.fn("client")(function* (socket: Socket.Socket, owner: string) {
  const { write } = yield* socket.writer
  const say = (text: string) => write(`${text}\n`)
  let held: Scope.Closeable | undefined
  const giveBack = Effect.suspend(() => {
    const scope = held
    held = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })
  yield* Effect.addFinalizer(() => giveBack)

  const take = Effect.fnUntraced(function* (claims: Lock.Claims) {
    if (held !== undefined) return yield* say("error: release first")
    const scope = (held = yield* Scope.make())
    const lock = yield* Scope.provide(tree.request(claims, { owner }).scoped, scope)
    // Not forced upon the client: that it holds no more is all that a service can tell it.
    const loss = Effect.catchTag(lock.guard(Effect.never), "LockError", () => say("lost"))
    yield* Effect.forkIn(loss, scope)
    yield* say(`granted ${lock.token}`)
  })

  const answer = (line: string) => {
    const [verb, ...paths] = line.trim().split(/\s+/)
    switch (verb) {
      case "read":
        return take({ read: paths })
      case "write":
        return take({ write: paths })
      case "release":
        return Effect.andThen(giveBack, say("released"))
      case "who":
        return Effect.flatMap(tree.standings, (all) => say(`${Lock.render(all)}\n`))
      default:
        return say("error: read PATH..., write PATH..., release or who")
    }
  }

  // Lines are read while one is answered, so that a client which goes while it waits is noticed.
  const lines = yield* Queue.bounded<string>(LINES_AHEAD_MAX)
  const reading = Socket.toStream(socket).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => Queue.offer(lines, line))
  )
  const answering = Effect.forever(
    Effect.flatMap(Queue.take(lines), answer).pipe(
      Effect.catchTags({
        LockError: (error) => Effect.andThen(giveBack, say(`error: ${error.message}`)),
        StoreError: (error) => Effect.andThen(giveBack, say(`error: ${error.message}`))
      })
    )
  )
  yield* Effect.raceFirst(reading, answering)
}, Effect.scoped)

const service = (port: number) =>
  Effect.gen(function* () {
    const server = yield* NodeSocketServer.make({ port, host: "127.0.0.1" })
    let clients = 0
    const { address } = server
    yield* Console.log(`listening on ${"port" in address ? address.port : "a path"}`)
    return yield* server.run((socket) =>
      // A connection that breaks is a client that goes.
      Effect.ignore(client(socket, `client ${++clients} of process ${process.pid}`))
    )
  })

const [, , store = "memory", port = "0"] = process.argv
NodeRuntime.runMain(Effect.scoped(service(Number(port))).pipe(Effect.provide(Store.layer(Backends.layer(store)))))
