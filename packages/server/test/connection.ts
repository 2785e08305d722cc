/** A server and its clients over real sockets, with a proxy between them that cuts connections. */
import * as net from "node:net"
import type { Store } from "@weft/domain"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as RpcClient from "effect/rpc/RpcClient"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import type * as Scope from "effect/Scope"
import { SocketServer } from "effect/socket/SocketServer"

const serialization = {
  ndjson: RpcSerialization.layerNdjson,
  binary: RpcSerialization.layerSchemaBinary()
}
export type Format = keyof typeof serialization

/** Serves a group on a free port until the scope ends; the port. */
export const serve = (
  group: RpcGroup.RpcGroup<any>,
  handlers: Layer.Layer<any, never, Store>,
  format: Format = "ndjson"
): Effect.Effect<number, unknown, Store | Scope.Scope> =>
  Effect.gen(function* () {
    const server = RpcServer.layer(group, { disableTracing: true }).pipe(
      Layer.provide(handlers),
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(serialization[format]),
      Layer.provideMerge(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 }))
    )
    const { address } = Context.get(yield* Layer.build(server), SocketServer)
    return (address as unknown as { readonly port: number }).port // a TCP server's
  })

/** The protocol of a client of that port, which connects again at once. */
export const protocol = (port: number, format: Format = "ndjson") =>
  RpcClient.layerProtocolSocket({ retryPolicy: Schedule.spaced("10 millis") }).pipe(
    Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port })),
    Layer.provide(serialization[format])
  )

export interface Proxy {
  readonly port: number
  /** Cuts all connections; gives how many there were. What was on its way is lost. */
  readonly cut: () => number
  /** From now on what servers answer is dropped, until the next cut. */
  readonly swallowAnswers: () => void
}

/** A proxy to a port that may change, on a free port, until the scope ends. */
export const proxy = (target: () => number) =>
  Effect.acquireRelease(
    Effect.callback<Proxy & { readonly close: () => void }>((resume) => {
      const open = new Set<net.Socket>()
      let swallow = false
      const server = net.createServer((client) => {
        const upstream = net.connect(target(), "127.0.0.1")
        const end = () => {
          open.delete(client)
          client.destroy()
          upstream.destroy()
        }
        open.add(client)
        client
          .on("data", (bytes) => void upstream.write(bytes))
          .on("close", end)
          .on("error", end)
        upstream
          .on("data", (bytes) => void (swallow || client.write(bytes)))
          .on("close", end)
          .on("error", end)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as net.AddressInfo
        const cut = () => {
          const count = open.size
          swallow = false
          for (const socket of open) socket.destroy()
          return count
        }
        const close = () => {
          cut()
          server.close()
        }
        resume(Effect.succeed({ port, cut, swallowAnswers: () => void (swallow = true), close }))
      })
    }),
    (made) => Effect.sync(made.close)
  )
