/** The rows of whoever may be let in, as Kysely sees them: people, service accounts, and what they may do. */

/** One row for each policy that was ever set. `resource`: `organizations/1` or `projects/415104041262`. */
export interface IamPolicyTable {
  resource: string
  etag: string
  update_time: number
}

export interface IamBindingTable {
  resource: string
  role: string
  member: string
}

/** The row of a deleted account stays, so that its e-mail is never given again. */
export interface ServiceAccountTable {
  uid: string
  project_number: string
  email: string
  display_name: string
  description: string
  etag: string
  /** Tokens and keys; held at or below 20 by the statement that raises it. */
  credentials: number
  create_time: number
  update_time: number
  disabled_time: number | null
  delete_time: number | null
}

export interface ServiceAccountTokenTable {
  uid: string
  account_uid: string
  /** SHA-256 of the token. */
  digest: string
  display_name: string
  masked_token: string
  limits: string
  create_time: number
  expire_time: number
  last_used_time: number | null
}

export interface ServiceAccountKeyTable {
  key_id: string
  account_uid: string
  public_key: string
  create_time: number
  expire_time: number
  last_used_time: number | null
}

/** `person`, as `user` is a word of SQL. */
export interface PersonTable {
  uid: string
  email: string
  display_name: string
  password_hash: string | null
  identity: string | null
  identity_roles: string
  create_time: number
  update_time: number
  disabled_time: number | null
  last_sign_in_time: number | null
}

export interface PasskeyTable {
  id: string
  person_uid: string
  display_name: string
  public_key: string
  transports: string
  counter: number
  create_time: number
  last_use_time: number | null
}

export interface SessionTable {
  /** SHA-256 of the id in the cookie. */
  digest: string
  uid: string
  person_uid: string
  method: string
  caller_ip: string
  user_agent: string
  create_time: number
  last_seen_time: number
  proof_time: number
}

export interface SignInLinkTable {
  digest: string
  kind: string
  person_uid: string | null
  create_time: number
  expire_time: number
}

export interface SignInChallengeTable {
  digest: string
  kind: string
  content: string
  expire_time: number
}

export interface SignInAttemptTable {
  bucket: string
  attempts: number
  expire_time: number
}

export interface KnownDeviceTable {
  digest: string
  person_uid: string
  expire_time: number
}
