import {expect, test} from 'vitest'
import {shadeOf} from '../../../src/lib/cli/paint.ts'

test('the ground is as the user says, else as the terminal does', () => {
  expect(shadeOf({COLORFGBG: '0;15'})).toBe('light')
  expect(shadeOf({COLORFGBG: '15;0'})).toBe('dark')
  expect(shadeOf({COLORFGBG: '15;0', OLLAMAX_THEME: 'light'})).toBe('light')
  expect(shadeOf({COLORFGBG: '0;15', OLLAMAX_THEME: 'dark'})).toBe('dark')
  expect(shadeOf({})).toBe('dark')
})

test.each([
  ['dark', {}, 'dark'],
  ['light', {COLORFGBG: '15;0'}, 'light'],
  ['auto', {COLORFGBG: '0;15'}, 'light'],
  ['auto', {COLORFGBG: '15;default;0'}, 'dark'],
  [undefined, {COLORFGBG: '7;8'}, 'dark'],
  ['auto', {}, 'dark'],
])('theme %s in %j is %s', (wanted, env, shade) => {
  expect(shadeOf(env, wanted)).toBe(shade)
})
