/** Coordination of one process: the suite, and what only it has. */
import { Effect } from "effect"
import * as LocalCoordination from "../../src/LocalCoordination.ts"
import * as CoordinationSuite from "../../testing/CoordinationSuite.ts"

CoordinationSuite.suite("LocalCoordination", { coordination: () => Effect.sync(() => LocalCoordination.make()) })
