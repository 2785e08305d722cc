/** One engine on one backend. */
export class Engine {}
