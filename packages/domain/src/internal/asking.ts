/** What every request that waits in a store has: a session, and a place in line that is taken back whatever happens. */
import * as Effect from "effect/Effect"
import type { Key } from "../core/Key.ts"
import * as Sessions from "../Sessions.ts"
import type { StoreError } from "../StoreError.ts"
import type { Engine } from "./Engine.ts"
import { dropped, unfenced } from "./HeldRecord.ts"
import * as Operation from "./Operation.ts"
import type { StoreKey, StoreShape } from "./StoreShape.ts"
import type { TxView } from "./TxView.ts"

/** Who asks. */
export interface Asker {
  readonly engine: Engine
  readonly session: Sessions.Session
  /** Names the request before its stamp is known. */
  readonly nonce: string
  /** Its stamp, once it is known: then nothing need be searched to take it back. */
  stamp: Key | undefined
}

/** Requests of this process so far: no two of a session have one name. Digits, as wills are short and soon made of ASCII. */
let nonces = 0

/**
 * Asks with the process's session. Whatever ends it before it has succeeded, `takeBack` runs in the end, in the background
 * if need be. `ask` answers `undefined` when the session has turned out to be gone: then all is asked anew, by another one.
 */
export const asking = <A, E, Id>(
  store: StoreKey<Id>,
  label: string,
  ask: (asker: Asker) => Effect.Effect<A | undefined, E, Id>,
  takeBack: (tx: TxView, asker: Asker) => void
): Effect.Effect<A, E | StoreError, Id> =>
  Effect.flatMap(store, ({ engine }: StoreShape) =>
    Effect.flatMap(Sessions.present(engine) ?? unfenced(Sessions.current(store)), (session) => {
      const asker: Asker = { engine, session, nonce: `${nonces++}`, stamp: undefined }
      const undo = () =>
        dropped(
          engine,
          store,
          Operation.make(store, `${label}.takeBack`, (tx) => takeBack(tx, asker))
        )
      const asked = Effect.interruptible(unfenced(ask(asker)))
      return Effect.flatMap(
        Effect.onExit(asked, (exit) => (exit._tag === "Success" ? Effect.void : undo())),
        (found): Effect.Effect<A, E | StoreError, Id> =>
          found === undefined
            ? Effect.andThen(Sessions.renew(store, session), asking(store, label, ask, takeBack))
            : Effect.succeed(found)
      )
    })
  )
