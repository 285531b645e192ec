/** A real OpenID Connect issuer, and the part of a browser that signs in there. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

export const CLIENT_ID = 'pollux'
export const CLIENT_SECRET = 'a-secret-that-the-issuer-gave-to-pollux'

export interface Person {
  readonly email: string
  readonly email_verified: boolean
  readonly name: string
  readonly groups?: readonly string[]
}

export interface Issuer {
  readonly url: string
  /** Signs this person in wherever the issuer sends a browser, and gives back the query it is sent back with. */
  authorize(authorizationUri: string, subject: string): Promise<string>
  /** Lets every browser that comes from now on be this person's. */
  knows(subject: string): void
  close(): Promise<void>
}

/** `people` by subject; read at each sign-in, so they may change. */
export async function startIssuer(people: Map<string, Person>, redirectUri: string): Promise<Issuer> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(url, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    pkce: { required: () => true },
    cookies: { keys: ['a-key-of-the-test-issuer'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, sub) => {
      const person = people.get(sub)
      return person === undefined ? undefined : { accountId: sub, claims: () => ({ sub, ...person }) }
    },
    // Nobody is asked whether Pollux may know their e-mail address.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        accountId: oidc.session?.accountId ?? '',
        clientId: oidc.client?.clientId ?? '',
      })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
  })
  let subject = ''
  const answer = provider.callback()
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/') === true) {
      void provider.interactionFinished(request, response, { login: { accountId: subject } })
    } else {
      void answer(request, response)
    }
  })
  return {
    url,
    async authorize(authorizationUri, who) {
      subject = who
      const cookies = new Map<string, string>()
      let next = authorizationUri
      for (let hop = 0; hop < 10; hop++) {
        if (next.startsWith(redirectUri)) return new URL(next).search.slice(1)
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
        const response = await fetch(next, { redirect: 'manual', headers: { cookie } })
        for (const line of response.headers.getSetCookie()) {
          const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=')
          cookies.set(name, value)
        }
        const location = response.headers.get('location')
        if (location === null)
          throw new Error(`the issuer answered ${response.status}: ${await response.text()}`)
        next = new URL(location, next).href
      }
      throw new Error('the issuer sends browsers round in circles')
    },
    knows(who) {
      subject = who
    },
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
