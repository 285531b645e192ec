"""Calls a gateway with google-genai, unmodified, and prints what came of each check as one line of JSON.

Standard input: {"origin", "model", "keys": {"plain", "referrer"}, "referrer", "refusals": [{"name", "keyString"
or null, "model", "search"}]}. Nothing is judged here: whoever runs this compares the lines with what has to come.
"""

import asyncio
import base64
import json
import sys

from google import genai
from google.genai import errors, types

VERSIONS = ('v1', 'v1beta', 'v1alpha')
PIXEL = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
)
EMBEDDING_MODEL = 'gemini-embedding-001'
LONG = 'Count to ten in 60 words'
# Held: a client that is collected closes its connections under the calls of its `models`.
CLIENTS = []


def client_for(task, api_key, version=None, headers=None):
    """A client; without a version, of the one that the SDK itself prefers."""
    options = types.HttpOptions(base_url=task['origin'], api_version=version, headers=headers)
    # The SDK is not made without a key: a call that goes without empties the header (see refusal_config).
    client = genai.Client(api_key=api_key or 'unused', http_options=options)
    CLIENTS.append(client)
    return client


def weather_config():
    schema = types.Schema(type='OBJECT', properties={'city': types.Schema(type='STRING')}, required=['city'])
    declaration = types.FunctionDeclaration(name='getWeather', description='The weather', parameters=schema)
    return types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declaration])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


RECIPE = types.GenerateContentConfig(
    response_mime_type='application/json',
    response_schema=types.Schema(
        type='OBJECT',
        properties={
            'name': types.Schema(type='STRING'),
            'amounts': types.Schema(type='ARRAY', items=types.Schema(type='INTEGER')),
        },
        required=['name', 'amounts'],
    ),
)


def told(reply):
    usage = reply.usage_metadata
    return {
        'text': reply.text,
        'finishReason': reply.candidates[0].finish_reason.value,
        'promptTokens': usage.prompt_token_count,
        'totalTokens': usage.total_token_count,
        'modelVersion': reply.model_version,
    }


def streamed(chunks):
    return {**told(chunks[-1]), 'text': ''.join(chunk.text or '' for chunk in chunks), 'chunks': len(chunks)}


def called(reply):
    call = reply.function_calls[0]
    return {'name': call.name, 'args': dict(call.args)}


def image_contents():
    return [types.Part.from_bytes(data=PIXEL, mime_type='image/png'), 'Say seen']


def image_told(reply):
    details = reply.usage_metadata.prompt_tokens_details
    return {**told(reply), 'details': {detail.modality.value: detail.token_count for detail in details}}


def refusal_config(refusal):
    tools = [types.Tool(google_search=types.GoogleSearch())] if refusal['search'] else None
    without_key = types.HttpOptions(headers={'x-goog-api-key': ''}) if refusal['keyString'] is None else None
    return types.GenerateContentConfig(tools=tools, http_options=without_key)


def raised(error):
    """What an exception says of itself, as a caller's code would read it."""
    kind = next(
        (cls.__name__ for cls in (errors.ClientError, errors.ServerError) if isinstance(error, cls)), None
    )
    return {
        'error': {
            'class': type(error).__name__,
            'isKind': kind,
            'code': getattr(error, 'code', None),
            'status': getattr(error, 'status', None),
            'message': getattr(error, 'message', None),
            'details': getattr(error, 'details', None),
            'text': str(error),
        }
    }


def show(mode, check, outcome):
    print(json.dumps({'mode': mode, 'check': check, **outcome}), flush=True)


def run_sync(task):
    def check(name, call):
        try:
            outcome = call()
        except Exception as error:  # whatever comes is what a caller would have to deal with
            outcome = raised(error)
        show('sync', name, outcome)

    model = task['model']
    plain = task['keys']['plain']
    for version in VERSIONS:
        models = client_for(task, plain, version).models
        check(f'{version} generate', lambda: told(models.generate_content(model=model, contents=LONG)))
        check(
            f'{version} stream',
            lambda: streamed(list(models.generate_content_stream(model=model, contents=LONG))),
        )
        check(
            f'{version} count',
            lambda: {'totalTokens': models.count_tokens(model=model, contents=LONG).total_tokens},
        )
        config = types.EmbedContentConfig(output_dimensionality=256)
        check(
            f'{version} embed',
            lambda: {
                'dimensions': [
                    len(embedding.values)
                    for embedding in models.embed_content(
                        model=EMBEDDING_MODEL, contents=['apple', 'pear'], config=config
                    ).embeddings
                ]
            },
        )
        check(
            f'{version} list', lambda: {'names': [item.name for item in models.list(config={'page_size': 5})]}
        )
        check(f'{version} get', lambda: {'name': models.get(model=model).name})

    default = client_for(task, plain)
    models = default.models
    check(
        'function',
        lambda: called(
            models.generate_content(model=model, contents='Use getWeather for Paris', config=weather_config())
        ),
    )
    check(
        'schema',
        lambda: {'parsed': models.generate_content(model=model, contents='A recipe', config=RECIPE).parsed},
    )
    check('image', lambda: image_told(models.generate_content(model=model, contents=image_contents())))
    page = client_for(task, task['keys']['referrer'], headers={'Referer': task['referrer']})
    check('referrer', lambda: told(page.models.generate_content(model=model, contents='Say oak')))
    for refusal in task['refusals']:
        refused = client_for(task, refusal['keyString'], 'v1')
        arguments = {'model': refusal['model'], 'contents': 'Say oak', 'config': refusal_config(refusal)}
        check(f"refused {refusal['name']}", lambda: told(refused.models.generate_content(**arguments)))
        check(
            f"refused stream {refusal['name']}",
            lambda: streamed(list(refused.models.generate_content_stream(**arguments))),
        )
    check('truncated', lambda: told(models.generate_content(model='sandbox-truncate', contents=LONG)))
    check(
        'truncated stream',
        lambda: streamed(list(models.generate_content_stream(model='sandbox-truncate', contents=LONG))),
    )


async def run_async(task):
    async def check(name, call):
        try:
            outcome = await call
        except Exception as error:  # whatever comes is what a caller would have to deal with
            outcome = raised(error)
        show('async', name, outcome)

    async def generate(models, **arguments):
        return told(await models.generate_content(**arguments))

    async def stream(models, **arguments):
        return streamed([chunk async for chunk in await models.generate_content_stream(**arguments)])

    async def count(models, **arguments):
        return {'totalTokens': (await models.count_tokens(**arguments)).total_tokens}

    async def embed(models):
        config = types.EmbedContentConfig(output_dimensionality=256)
        reply = await models.embed_content(model=EMBEDDING_MODEL, contents=['apple', 'pear'], config=config)
        return {'dimensions': [len(embedding.values) for embedding in reply.embeddings]}

    async def names(models):
        return {'names': [item.name async for item in await models.list(config={'page_size': 5})]}

    async def get(models):
        return {'name': (await models.get(model=model)).name}

    async def function(models):
        return called(
            await models.generate_content(
                model=model, contents='Use getWeather for Paris', config=weather_config()
            )
        )

    async def schema(models):
        return {
            'parsed': (await models.generate_content(model=model, contents='A recipe', config=RECIPE)).parsed
        }

    async def image(models):
        return image_told(await models.generate_content(model=model, contents=image_contents()))

    model = task['model']
    plain = task['keys']['plain']
    for version in VERSIONS:
        models = client_for(task, plain, version).aio.models
        await check(f'{version} generate', generate(models, model=model, contents=LONG))
        await check(f'{version} stream', stream(models, model=model, contents=LONG))
        await check(f'{version} count', count(models, model=model, contents=LONG))
        await check(f'{version} embed', embed(models))
        await check(f'{version} list', names(models))
        await check(f'{version} get', get(models))

    models = client_for(task, plain).aio.models
    await check('function', function(models))
    await check('schema', schema(models))
    await check('image', image(models))
    page = client_for(task, task['keys']['referrer'], headers={'Referer': task['referrer']}).aio.models
    await check('referrer', generate(page, model=model, contents='Say oak'))
    for refusal in task['refusals']:
        refused = client_for(task, refusal['keyString'], 'v1').aio.models
        arguments = {'model': refusal['model'], 'contents': 'Say oak', 'config': refusal_config(refusal)}
        await check(f"refused {refusal['name']}", generate(refused, **arguments))
        await check(f"refused stream {refusal['name']}", stream(refused, **arguments))
    await check('truncated', generate(models, model='sandbox-truncate', contents=LONG))
    await check('truncated stream', stream(models, model='sandbox-truncate', contents=LONG))


if __name__ == '__main__':
    given = json.load(sys.stdin)
    show('sdk', 'version', {'version': genai.__version__})
    run_sync(given)
    asyncio.run(run_async(given))
