import fc from 'fast-check'
import {expect, test} from 'vitest'
import {readAnsibleIni} from '../../../src/lib/inventory/ansible-ini.ts'
import {readAnsibleYaml} from '../../../src/lib/inventory/ansible-yaml.ts'
import {readCsv} from '../../../src/lib/inventory/csv.ts'
import type {Inventory} from '../../../src/lib/inventory/entry.ts'
import {expandHosts} from '../../../src/lib/inventory/host-range.ts'

const short = ({entries}: Inventory) =>
  entries.map(({name, ssh, labels}) => [name, ssh, Object.keys(labels).sort().join(',')])

test.each([
  ['web', ['web']],
  ['web[1:3]', ['web1', 'web2', 'web3']],
  ['web[08:10].lan', ['web08.lan', 'web09.lan', 'web10.lan']],
  ['db-[a:c]', ['db-a', 'db-b', 'db-c']],
  ['x[0:6:3]', ['x0', 'x3', 'x6']],
  ['r[1:2]-n[a:b]', ['r1-na', 'r1-nb', 'r2-na', 'r2-nb']],
  ['[fd00::1]:2222', ['[fd00::1]:2222']],
])('%s stands for these hosts', (pattern, hosts) => expect(expandHosts(pattern)).toEqual(hosts))

test.each(['web[3:1]', 'web[1:b]', 'web[x]', 'web[1:99999]', 'a[0:999]b[0:999]', 'w[1:5:0]'])(
  '%s is refused in words',
  (pattern) => expect(() => expandHosts(pattern)).toThrow(/range|mixes|backwards|more than|step/),
)

const INI = `# our machines
lonely ansible_host=10.0.0.9

[gpu]
gpu[01:02] ansible_user=ubuntu   ; two of them
gpu-x:2222
[gpu:vars]
ansible_port=2200
[slow]
cpu1 ansible_host="10.0.0.5" ansible_ssh_pass=hunter2
here ansible_connection=local
[slow:vars]
ansible_user='ops'
[site_a:children]
gpu
slow
[all:vars]
ansible_user=root
`

test('an Ansible INI inventory: groups and their parents become labels, the nearest variable wins', () => {
  const inventory = readAnsibleIni(INI)
  expect(short(inventory)).toEqual([
    ['lonely', 'root@10.0.0.9', ''],
    ['gpu01', 'ubuntu@gpu01:2200', 'gpu,site_a'],
    ['gpu02', 'ubuntu@gpu02:2200', 'gpu,site_a'],
    ['gpu-x', 'root@gpu-x:2200', 'gpu,site_a'],
    ['cpu1', 'ops@10.0.0.5', 'site_a,slow'],
  ])
  expect(inventory.notes).toEqual([
    'ansible_ssh_pass is not taken over: say it in ssh_config',
    'here is this machine (ansible_connection=local): left out',
  ])
  expect(JSON.stringify(inventory)).not.toContain('hunter2')
})

test('the same inventory in YAML says the same', () => {
  const yaml = {
    all: {
      vars: {ansible_user: 'root'},
      hosts: {lonely: {ansible_host: '10.0.0.9'}},
      children: {
        site_a: {
          children: {
            gpu: {
              hosts: {'gpu[01:02]': {ansible_user: 'ubuntu'}, 'gpu-x:2222': null},
              vars: {ansible_port: 2200},
            },
            slow: {
              hosts: {cpu1: {ansible_host: '10.0.0.5'}, here: {ansible_connection: 'local'}},
              vars: {ansible_user: 'ops'},
            },
          },
        },
      },
    },
  }
  expect(short(readAnsibleYaml(yaml)).sort()).toEqual(short(readAnsibleIni(INI)).sort())
})

test.each([
  ['[gpu]\ngpu[3:1]\n', 'line 2 of the inventory'],
  ['[gpu:vars]\nno sign\n', 'line 2 of the inventory: "no sign" is not NAME=VALUE'],
])('a broken INI line is named: %j', (text, words) =>
  expect(() => readAnsibleIni(text)).toThrow(words),
)

test.each([[['a']], ['text'], [{all: {hosts: ['h1']}}], [{all: {children: 3}}]])(
  '%j is no Ansible inventory',
  (value) => expect(() => readAnsibleYaml(value)).toThrow('must be a mapping'),
)

test('groups that are parents of each other end', () => {
  expect(short(readAnsibleIni('[a]\nh\n[a:children]\nb\n[b:children]\na\n'))).toEqual([
    ['h', 'h', 'a,b'],
  ])
})

test('a CSV table: header in any order, quotes, labels in one column and in columns of their own', () => {
  const csv =
    '\ufeffport,Name,host,user,labels,label.rack\r\n,a,10.0.0.1,ops,"tier=fast;os=""x""",r1\r\n\r\n2222,"b",fd00::2,,,\r\n'
  const {entries} = readCsv(csv)
  expect(entries).toEqual([
    {name: 'a', ssh: 'ops@10.0.0.1', labels: {tier: 'fast', os: '"x"', rack: 'r1'}},
    {name: 'b', ssh: '[fd00::2]:2222', labels: {}},
  ])
  expect(readCsv('ssh\nubuntu@gpu-1:2200\n').entries[0]?.name).toBe('gpu-1')
})

test.each([
  ['name,address\nx,y\n', 'the column "address" is not known'],
  ['name\nx\n', 'needs a column ssh or host'],
  ['', 'line 1'],
  ['name,host\na,h\nb\n', 'line 3 of the inventory: it has neither'],
  ['host\na,b\n', 'line 2 of the inventory: it has 2 values'],
  ['host\n"a\n', 'a quote is not closed'],
  ['host,labels\na,fast\n', 'line 2 of the inventory: the label "fast" is not K=V'],
])('%j is refused with its line', (text, words) => expect(() => readCsv(text)).toThrow(words))

test('whatever the text, a reader answers in time or says what is wrong', () => {
  const texts = fc.string({unit: fc.constantFrom(...'[]:=,;"\n \t#ab01'), maxLength: 200})
  fc.assert(
    fc.property(texts, (text) => {
      for (const read of [readAnsibleIni, readCsv]) {
        try {
          read(text)
        } catch (error) {
          expect((error as {code?: string}).code).toBe('BAD_INPUT')
        }
      }
    }),
  )
})
