/** The names under which this process is reached. */
import type { Config } from './config.ts'

/** The public name, and this machine's own on every port: audiences of what service accounts sign. */
export function originsOf({ publicOrigin, port, adminPort }: Config): readonly string[] {
  const local = [port, adminPort].flatMap(port =>
    port === null ? [] : ['127.0.0.1', 'localhost', '[::1]'].map(name => `http://${name}:${port}`),
  )
  return publicOrigin === null ? local : [new URL(publicOrigin).origin, ...local]
}

/** The public name, and this machine's own: the command line and health checks ask for that. */
export function hostsOf(publicOrigin: string, port: number): ReadonlySet<string> {
  return new Set([
    new URL(publicOrigin).host,
    ...['127.0.0.1', 'localhost', '[::1]'].map(name => `${name}:${port}`),
  ])
}
