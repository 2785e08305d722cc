/** The consumer's program on a store of ours and on one of somebody else's. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Store } from "@weft/domain"
import { layer, program } from "./main.ts"
import * as ThirdParty from "./ThirdPartyBackend.ts"

it.live("runs on a store in memory", () => Effect.provide(program, layer))
it.live("runs unchanged on a store of somebody else", () => Effect.provide(program, Store.layer(ThirdParty.layer())))
