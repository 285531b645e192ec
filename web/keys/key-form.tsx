import { ALLOWED_TOOLS, ENVIRONMENTS } from '../../src/domain/key.ts'
import { Button } from '../ui/button.tsx'
import { CheckField, RadioField, SelectField, TextField } from '../ui/field.tsx'
import {
  CLIENT_KINDS,
  type ClientKind,
  type Expiry,
  type KeyDraft,
  METHODS,
  type Problems,
  type QuotaField,
} from './draft.ts'
import './form.css'

const CLIENT_TEXT: Readonly<Record<ClientKind, string>> = {
  any: 'Anywhere',
  addresses: 'IP addresses',
  referrers: 'Web pages',
  applications: 'Android apps',
  bundleIds: 'iOS apps',
}

const LIST_HINTS: Readonly<Record<Exclude<ClientKind, 'any'>, readonly [placeholder: string, hint: string]>> =
  {
    addresses: ['203.0.113.7\n2001:db8::/32', 'Addresses and CIDR ranges, one a line.'],
    referrers: [
      'https://shop.example/*\n*.example.com/*',
      'Pages, one a line; * stands for anything. Browsers send the page, other programs can invent it: set a cap too.',
    ],
    applications: [
      'com.example.app 14:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42',
      'Package name and SHA-1 fingerprint of the signing certificate, one app a line.',
    ],
    bundleIds: ['com.example.app', 'Bundle ids, one a line.'],
  }

const EXPIRIES: readonly (readonly [Expiry, string])[] = [
  ['never', 'Never'],
  ['7', 'In 7 days'],
  ['30', 'In 30 days'],
  ['90', 'In 90 days'],
  ['365', 'In a year'],
  ['at', 'At a moment …'],
]

export interface FormPartProps {
  readonly draft: KeyDraft
  readonly problems: Problems
  readonly onChange: (change: Partial<KeyDraft>) => void
}

export function NameFields({ draft, problems, onChange }: FormPartProps) {
  return (
    <>
      <TextField
        label="Name"
        value={draft.name}
        onChange={name => onChange({ name })}
        problem={problems.name}
        placeholder="Web shop, checkout"
        hint="Say which application holds the key. The name can be changed."
      />
      <RadioField
        legend="Environment"
        value={draft.environment}
        onChange={environment => onChange({ environment: environment as KeyDraft['environment'] })}
        options={[['', 'None'], ...ENVIRONMENTS.map(value => [value, value] as const)]}
      />
    </>
  )
}

interface ClientFieldsProps extends FormPartProps {
  /** Where the server sees this browser; null when it cannot tell. */
  readonly ownAddress: string | null
}

export function ClientFields({ draft, problems, onChange, ownAddress }: ClientFieldsProps) {
  const { clients } = draft
  return (
    <>
      <RadioField
        legend="Who may use the key"
        value={clients}
        onChange={kind => onChange({ clients: kind as ClientKind })}
        options={CLIENT_KINDS.map(kind => [kind, CLIENT_TEXT[kind]])}
      />
      {clients !== 'any' && (
        <TextField
          label={CLIENT_TEXT[clients]}
          lines={3}
          value={draft[clients]}
          onChange={text => onChange({ [clients]: text })}
          problem={problems.clients}
          placeholder={LIST_HINTS[clients][0]}
          hint={LIST_HINTS[clients][1]}
        />
      )}
      {clients === 'addresses' && ownAddress !== null && (
        <Button onPress={() => onChange({ addresses: withLine(draft.addresses, ownAddress) })}>
          Use my current address, {ownAddress}
        </Button>
      )}
    </>
  )
}

interface AccessFieldsProps extends FormPartProps {
  /** Models with a price. */
  readonly models: readonly string[]
  /** False: the key's methods are none this form could show. */
  readonly hasMethods?: boolean
}

export function AccessFields({ draft, problems, onChange, models, hasMethods = true }: AccessFieldsProps) {
  const { tools } = draft
  return (
    <>
      <TextField
        label="Models"
        lines={2}
        value={draft.models}
        onChange={text => onChange({ models: text })}
        problem={problems.models}
        placeholder={'gemini-3.8-flash\ngemini-embedding-*'}
        hint="Model ids, or a beginning and *, one a line. Empty: every model."
      />
      <SelectField
        label="Add a model"
        value=""
        onChange={model => onChange({ models: withLine(draft.models, model) })}
        options={[['', 'Choose …'], ...models.map(model => [model, model] as const)]}
      />
      {hasMethods && <MethodFields chosen={draft.methods} onChange={methods => onChange({ methods })} />}
      <fieldset className="field">
        <legend className="field__label">Tools and outputs</legend>
        <div className="choice-row">
          <CheckField
            label="all of them"
            isChecked={tools === null}
            onChange={isChecked => onChange({ tools: isChecked ? null : [] })}
          />
          {ALLOWED_TOOLS.map(tool => (
            <CheckField
              key={tool}
              label={tool}
              isChecked={tools === null || tools.includes(tool)}
              onChange={isChecked => onChange({ tools: toggled(tools ?? ALLOWED_TOOLS, tool, isChecked) })}
            />
          ))}
        </div>
      </fieldset>
    </>
  )
}

interface MethodFieldsProps {
  readonly chosen: readonly string[]
  readonly onChange: (methods: readonly string[]) => void
}

function MethodFields({ chosen, onChange }: MethodFieldsProps) {
  return (
    <fieldset className="field">
      <legend className="field__label">Methods</legend>
      <div className="choice-row">
        {METHODS.map(method => (
          <CheckField
            key={method}
            label={method}
            isChecked={chosen.includes(method)}
            onChange={isChecked => onChange(toggled(chosen, method, isChecked))}
          />
        ))}
      </div>
      <p className="field__hint">None chosen: every method.</p>
    </fieldset>
  )
}

const QUOTA_TEXT: Readonly<Record<QuotaField, readonly [label: string, placeholder: string]>> = {
  rpm: ['Requests a minute', '60'],
  tpm: ['Input tokens a minute', '250000'],
  rpd: ['Requests a day', '10000'],
}

export function QuotaFields({ draft, problems, onChange }: FormPartProps) {
  return (
    <>
      <div className="form__three">
        {(Object.keys(QUOTA_TEXT) as QuotaField[]).map(field => (
          <TextField
            key={field}
            label={QUOTA_TEXT[field][0]}
            value={draft[field]}
            onChange={value => onChange({ [field]: value })}
            problem={problems[field]}
            placeholder={QUOTA_TEXT[field][1]}
          />
        ))}
      </div>
      <p className="field__hint">
        Over all models together. Empty: only the limits of its project. Limits by model are set on the page
        Limits.
      </p>
    </>
  )
}

const PERIODS = [
  ['month', 'a month'],
  ['day', 'a day'],
  ['total', 'in all'],
] as const

interface BudgetFieldsProps extends FormPartProps {
  /** The budget is there: its period is its id. */
  readonly isPeriodFixed?: boolean
  /** There is no budget without a cap. */
  readonly isCapNeeded?: boolean
}

export function BudgetFields({
  draft,
  problems,
  onChange,
  isPeriodFixed = false,
  isCapNeeded = false,
}: BudgetFieldsProps) {
  return (
    <>
      <div className="form__pair">
        <TextField
          label="Cap in dollars"
          value={draft.cap}
          onChange={cap => onChange({ cap })}
          problem={problems.cap}
          placeholder="10.00"
        />
        <SelectField
          label="Period"
          value={draft.period}
          onChange={period => onChange({ period: period as KeyDraft['period'] })}
          options={PERIODS.filter(([period]) => !isPeriodFixed || period === draft.period)}
        />
      </div>
      {draft.cap.trim() !== '' && (
        <RadioField
          legend="A call that may cost more than is left"
          value={draft.policy}
          onChange={policy => onChange({ policy: policy as KeyDraft['policy'] })}
          options={[
            ['clamp', 'gets a shorter answer'],
            ['refuse', 'is refused'],
          ]}
        />
      )}
      <p className="field__hint">
        {!isCapNeeded && 'Empty: no cap of its own. '}A cap cannot be exceeded, at whatever concurrency. Under
        one, search, maps, code execution and URL context are refused until they have a ceiling, and so are
        models without a price.
      </p>
    </>
  )
}

export function ExpiryFields({ draft, problems, onChange }: FormPartProps) {
  const isListed = EXPIRIES.some(([expiry]) => expiry === draft.expiry)
  return (
    <div className="form__pair">
      <SelectField
        label="Expires"
        value={draft.expiry}
        onChange={expiry => onChange({ expiry: expiry as Expiry })}
        options={isListed ? EXPIRIES : [...EXPIRIES, [draft.expiry, `In ${draft.expiry} days`]]}
      />
      {draft.expiry === 'at' && (
        <TextField
          label="Moment, in your time zone"
          type="datetime-local"
          value={draft.expireTime}
          onChange={expireTime => onChange({ expireTime })}
          problem={problems.expiry}
        />
      )}
    </div>
  )
}

function withLine(text: string, line: string): string {
  const lines = text.split('\n').filter(other => other.trim() !== '')
  return line === '' || lines.includes(line) ? text : [...lines, line].join('\n')
}

function toggled<Entry extends string>(
  entries: readonly Entry[],
  entry: Entry,
  isChosen: boolean,
): readonly Entry[] {
  return isChosen ? [...entries, entry] : entries.filter(other => other !== entry)
}
